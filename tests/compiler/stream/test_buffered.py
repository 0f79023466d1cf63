"""Filters that the compiler loads into the buffer: images, commands, what waits for whom."""

import numpy as np
import pytest

from compiler.nest.images import filter_image
from compiler.stream.hazards import BufferAccess, HazardTracker, Wait
from compiler.stream.loops import Loop
from compiler.stream.resident import Filters, from_memory
from compiler.stream.stream import StreamBuilder
from hw.arch.accesses import Access, DataType, Direction, Level
from hw.arch.commands import REGION, Opcode
from hw.arch.config import Config
from sim.cycles.stream import commands
from tests.compiler.stream.test_resident import block, tail, walk

FILTERS = BufferAccess(filters=((100, 120),))


@pytest.mark.parametrize("width", [32, 64, 128])
def test_every_pass_begins_with_a_buffer_word(width: int) -> None:
    """Blocks of one, two and three link words, in both loops; items between them change nothing."""
    config = Config.of({"buffer.width": width, "noc.ifmap": 4})
    blocks = tuple(block(*range(10 * n, 10 * n + 1 + n % 3)) for n in range(6))
    loops = [
        Loop(count=2, steps={"band": 1}),
        Loop(count=4, steps={"ifmap": 9}),
        Loop(count=3, steps={"group": 1}),
    ]
    of = Filters((2, 4, 3), (True, False, True), blocks)
    image = filter_image(config, "key", loops, {}, 3, 0, 0, lambda: of)
    words = of.packed(2 if width == 128 else 1)
    assert image.links == len(words)
    assert image.words * width == 64 * image.links
    descriptor = from_memory(tail(of, {}), of.counts, of.depends, 500, image.stride)
    places = list(walk(descriptor))
    assert len(places) == 24
    for place, index in zip(places, of.order, strict=True):
        link, rest = divmod((place - 500) * width, 64)
        assert not rest
        found = blocks[index]
        assert words[link : link + len(found)].tolist() == found.tolist()


def test_images_are_told_apart_by_what_changes_the_filters() -> None:
    config = Config()

    def key(loops: list[Loop], moved: dict[str, int], name: str = "a") -> object:
        return filter_image(config, name, loops, moved, 1, 0, 0, lambda: None).key  # type: ignore[arg-type,return-value]

    rows = Loop(count=3, steps={"y": 2})
    assert key([rows], {"y": 4}) == key([rows], {"y": 8})
    assert key([rows], {}) != key([rows], {"band": 1})
    assert key([rows], {}) != key([Loop(count=3, steps={"tap": 1})], {})
    assert key([rows], {}) != key([rows], {}, "b")


def test_a_convolution_waits_for_who_writes_its_filters_even_with_sync() -> None:
    tracker = HazardTracker()
    tracker.conv(BufferAccess(writes=((110, 130),)), synced=False)
    assert tracker.wait_conv(FILTERS) == (Wait(fence=True), False)
    assert tracker.wait_conv(BufferAccess(reads=((110, 120),))) == (Wait(), True)
    tracker.conv(BufferAccess(reads=((110, 120),)), synced=True)
    assert tracker.wait_conv(FILTERS) == (Wait(fence=True), False)
    psums = HazardTracker()
    psums.conv(BufferAccess(psums=((119, 200),)), synced=False)
    assert psums.wait_conv(FILTERS) == (Wait(fence=True), False)
    assert psums.wait_conv(BufferAccess(filters=((100, 119),))) == (Wait(), False)


def test_a_load_waits_for_who_reads_filters() -> None:
    tracker = HazardTracker()
    tracker.conv(FILTERS, synced=False)
    assert tracker.wait(BufferAccess(writes=((119, 121),))) == Wait(fence=True)
    assert tracker.wait(BufferAccess(writes=((120, 121),))) == Wait()
    assert tracker.wait_conv(BufferAccess(writes=((90, 101),)))[1]
    assert tracker.wait_conv(BufferAccess(psums=((90, 101),)))[1]
    tracker.conv(BufferAccess(), synced=False)
    assert tracker.wait(BufferAccess(writes=((119, 121),))) == Wait(older=1)


@pytest.mark.parametrize("width", [32, 64, 128])
@pytest.mark.parametrize("dry", [False, True])
def test_filters_are_loaded_in_parts_that_a_command_can_describe(dry: bool, width: int) -> None:
    config = Config.of(
        {"buffer.filters": True, "buffer.depth": 16384, "buffer.width": width, "noc.ifmap": 4}
    )
    stream = StreamBuilder(config, dry=dry)
    stream.start_layer(0)
    links = 40_000 * (width // 32)
    words = np.arange(links, dtype=np.uint64)
    stream.load_filters(7, links, lambda: words)
    _, step = stream.finish()
    loads = []
    for each in commands(step.words, dry=dry):  # type: ignore[union-attr]
        if int(each[0]) & 0x1F == Opcode.LOAD:
            region = REGION.unpack([int(word) for word in each[1 : 1 + REGION.words]])
            loads.append((region, each[1 + REGION.words :]))
    place, taken = 7, 0
    assert len(loads) == 2
    for region, payload in loads:
        assert region["address"] == place
        assert region["run"] * width == 64 * region["words"]
        assert payload.tolist() == ([] if dry else words[taken : taken + region["words"]].tolist())
        place += region["run"]
        taken += region["words"]
    assert taken == links
    moved = stream.traffic[0].accesses
    assert moved[Access(Level.LINK, DataType.FILTER, Direction.READ)] == links
    assert moved[Access(Level.BUFFER, DataType.FILTER, Direction.WRITE)] == links * 8
