"""Filters that the compiler loads into the buffer: images, commands, what waits for whom."""

from typing import Any

import numpy as np
import pytest

from compiler.mapper.columns import column_waves
from compiler.mapper.folding import RowPass, fold_run
from compiler.mapper.space import ConvShape, Fold, MappedBlock, Mapping, Run
from compiler.nest.cells import cell_layout
from compiler.nest.filters import filter_bank, pass_filters
from compiler.nest.images import UnitLayout
from compiler.stream.hazards import BufferAccess, HazardTracker, Wait
from compiler.stream.stream import StreamBuilder
from hw.arch.accesses import Access, DataType, Direction, Level
from hw.arch.commands import REGION, Opcode
from hw.arch.config import Config
from sim.cycles.stream import commands
from sim.functional.filters import unit_offsets, unit_places
from sim.functional.patterns import Columns, Rows

_NO_ROWS: dict[str, Any] = {"rows": {}, "slots": {}, "segments": {}, "tails": np.zeros(0, int)}
FILTERS = BufferAccess(filters=((100, 120),))


def _passes(fold: Fold, rows: int, groups: int) -> tuple[ConvShape, MappedBlock, list[RowPass]]:
    """Three filter rows of three taps, and 24 filters by four."""
    shape = ConvShape(N=1, M=24, C=groups * fold.q, E=8, F=4, R=3, S=3)
    mapping = Mapping(fold=fold, p=4, ce=1, cm=2, cn=1, windows=4)
    block = MappedBlock(mapping=mapping, rows=(0, 8), columns=(0, 4), filters=(0, 24))
    return shape, block, list(fold_run(shape, fold, fold.runs[0], rows))


@pytest.mark.parametrize("width", [32, 64, 128])
@pytest.mark.parametrize(("ue", "um"), [(1, 1), (3, 1), (1, 3)])
@pytest.mark.parametrize(("row_loop", "tap_loop"), [(False, False), (True, False), (True, True)])
def test_passes_find_every_unit_in_the_image(
    width: int, ue: int, um: int, row_loop: bool, tap_loop: bool
) -> None:
    """By the addresses that the functional model reads, the units that `pass_filters` sends."""
    config = Config.of({"buffer.width": width, "noc.ifmap": 4, "array.rows": 5})
    fold = Fold(
        q=2,
        span=1,
        ue=ue,
        um=um,
        runs=(Run(first=0, groups=4),),
        row_loop=row_loop,
        tap_loop=tap_loop,
    )
    shape, block, passes = _passes(fold, config.array.rows, 4)
    weights = np.random.default_rng(3).integers(-99, 99, (24, 3, 3, 8)).astype(np.int8)
    bank = filter_bank(config, shape, block.mapping, weights, 0)
    layout = UnitLayout.of(config, shape, block, bank.beats)
    image = layout.packed(config, bank).tobytes()
    assert len(image) * 8 == layout.words * width
    walk = layout.walk(passes, block.mapping.steps[0])
    assert walk is not None
    constants = {
        "filter_beats": bank.beats,
        "unit_jump": walk.jump,
        "cells": 0,
        **layout.fields,
    }
    origin = {"group": 0, "tap": int(tap_loop), "row": int(row_loop)}
    bases = {"weights": 300 + layout.moved(origin)}
    (wave,) = column_waves(block.mapping, 6)
    columns = Columns(groups=wave.groups, first_group=0, count=2, columns={})
    size = bank.words.shape[-1]
    for row_pass, fields in zip(passes, walk.passes, strict=True):
        tags = Rows(filters=len(row_pass.filters), **fields, **_NO_ROWS)
        places = unit_places(config, constants, bases, tags, columns)
        found = [image[(at - 300) * width // 8 :][:size] for at in places.reshape(-1).tolist()]
        sent = pass_filters(config, bank, block.mapping, row_pass, wave, 0, tuple(origin.values()))
        assert sent.tobytes().startswith(b"".join(found))


def test_blocks_of_other_shares_of_the_filters_find_them_in_one_image() -> None:
    """By the addresses that the functional model reads, what `pass_filters` sends."""
    config = Config.of({"noc.ifmap": 4, "array.rows": 7})
    shape = ConvShape(N=1, M=48, C=8, E=8, F=4, R=3, S=3)
    weights = np.random.default_rng(4).integers(-99, 99, (48, 3, 3, 8)).astype(np.int8)
    images, keys = set(), set()
    for p, span, ue, filters in ((8, 3, 1, (0, 48)), (16, 1, 3, (0, 48)), (8, 1, 1, (16, 40))):
        fold = Fold(q=4, span=span, ue=ue, um=1, runs=(Run(first=0, groups=2),))
        mapping = Mapping(fold=fold, p=p, ce=1, cm=3, cn=1, windows=4)
        block = MappedBlock(mapping=mapping, rows=(0, 8), columns=(0, 4), filters=filters)
        layout = cell_layout(config, shape, block, (0, 48))
        assert layout is not None
        keys.add(layout.key)
        image = layout.packed(config, filter_bank(config, shape, mapping, weights, 0)).tobytes()
        images.add(image)
        assert len(image) == 8 * layout.words == 48 * 9 * 8
        passes = fold_run(shape, fold, fold.runs[0], config.array.rows)
        walk = layout.walk(passes, mapping.steps[0])
        assert walk is not None
        bank = filter_bank(config, shape, mapping, weights[slice(*filters)], 0)
        (wave,) = column_waves(mapping, 3)
        constants = {
            "filter_beats": bank.beats,
            "unit_jump": walk.jump,
            "psums": p,
            "channels": 4,
            "taps": 4 * span,
            **layout.fields,
        }
        bases = {"weights": filters[0] // p * layout.strides["band"]}
        columns = Columns(groups=wave.groups, first_group=0, count=3, columns={})
        for row_pass, fields in zip(passes, walk.passes, strict=True):
            tags = Rows(filters=len(row_pass.filters), **fields, **_NO_ROWS)
            first = unit_places(config, constants, bases, tags, columns)
            places = first[..., None] + unit_offsets(config, constants)
            found = [image[8 * at :][:8] for at in places.reshape(-1).tolist()]
            sent = pass_filters(config, bank, mapping, row_pass, wave, 0, (0, 0, 0))
            assert sent.tobytes() == b"".join(found)
    assert len(images) == len(keys) == 1


def test_filters_that_fill_no_cells_lie_in_units() -> None:
    config = Config.of({"noc.ifmap": 4})
    fold = Fold(q=2, span=3, runs=(Run(first=0, groups=4),))
    shape, block, _ = _passes(fold, config.array.rows, 4)
    assert cell_layout(config, shape, block, block.filters) is None


def test_units_along_rows_and_filters_at_once_are_streamed() -> None:
    """Their jumps are of two kinds."""
    fold = Fold(q=2, span=3, ue=2, um=2, runs=(Run(first=0, groups=1),))
    config = Config.of({"array.rows": 16})
    shape, block, passes = _passes(fold, config.array.rows, 1)
    layout = UnitLayout.of(config, shape, block, 3)
    assert layout.walk(passes, 2) is not None  # a pass takes the pairs of both rows at once
    shifted, _, some = _passes(fold, 4, 1)
    assert shifted == shape
    assert layout.walk(some, 2) is None


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
