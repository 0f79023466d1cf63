"""Boxes are gathered from stored blocks as `pack_box` would pack them."""

from itertools import pairwise

import numpy as np
import pytest

from hw.arch.commands import REGION, Opcode, command
from hw.arch.config import Config
from hw.arch.images.gathering import StoredBlock, gathered, unit_bits, whole_words
from hw.arch.program import Box, Load
from hw.arch.program.layout import pack_box, region

WIDE = {"buffer.width": 64}
NARROW = {"buffer.width": 32, "noc.ifmap": 4, "post.units": 1}
WIDER = {"buffer.width": 128}


def cut(rng, size, step=1):
    """A range cut into parts whose ends are multiples of a step."""
    inner = range(step, size, step)
    ends = rng.choice(inner, min(len(inner), rng.integers(3)), replace=False) if inner else []
    return list(pairwise([0, *sorted(int(end) for end in ends), size]))


def part(rng, size, step=1):
    first = int(rng.integers(0, -(-size // step))) * step
    last = min(first + step * int(rng.integers(1, size // step + 2)), size)
    return first, last


def stored(rng, config, view, memory):
    """The boxes of a partition of a tensor, each in the memory, far apart."""
    blocks, at = [], 3
    axes = [cut(rng, size) for size in view.shape[:3]] + [cut(rng, view.shape[3], config.lanes)]
    for items in axes[0]:
        for rows in axes[1]:
            for columns in axes[2]:
                for channels in axes[3]:
                    box = Box(items, rows, columns, channels)
                    words = pack_box(config, view, box)
                    memory[at : at + len(words)] = words
                    blocks.append(StoredBlock(box, at, len(blocks)))
                    at += len(words) + int(rng.integers(3))
    return blocks


@pytest.mark.parametrize("fields", [WIDE, NARROW, WIDER], ids=["64", "32", "128"])
def test_a_box_is_gathered_from_the_blocks_that_have_its_words(fields):
    rng = np.random.default_rng(len(fields))
    config = Config.of(fields)
    kind = f"<u{unit_bits(config) // 8}"
    for _ in range(60):
        shape = (*rng.integers(1, 6, 3), config.lanes * rng.integers(1, 4))
        view = rng.integers(-128, 128, shape).astype(np.int8)
        memory = np.zeros(4096, dtype=np.uint64)
        blocks = stored(rng, config, view, memory)
        steps = (1, 1, 1, config.lanes)
        box = Box(*(part(rng, int(size), step) for size, step in zip(shape, steps, strict=True)))
        rows, after = gathered(config, blocks, box, raw=False)
        units = memory.view(kind)
        found = np.concatenate(
            [
                units[r.place + n * r.pitch : r.place + n * r.pitch + r.run]
                for r in rows
                for n in range(r.rows)
            ]
        )
        wanted = pack_box(config, view, box).view(kind)
        assert np.array_equal(found, wanted[: len(found)]) and not wanted[len(found) :].any()
        assert 0 <= after < len(blocks)


def test_a_whole_block_is_one_run_and_a_halo_is_rows():
    config = Config.of(WIDE)
    whole = Box((0, 1), (0, 8), (0, 6), (0, 8))
    (rows,), after = gathered(config, [StoredBlock(whole, 10, 48)], whole, raw=False)
    assert (rows.place, rows.run, rows.rows, after) == (10, 48, 1, 48)
    inner = Box((0, 1), (2, 5), (1, 4), (0, 8))
    (rows,), _ = gathered(config, [StoredBlock(whole, 10, 48)], inner, raw=False)
    assert (rows.place, rows.run, rows.rows, rows.pitch) == (10 + 2 * 6 + 1, 3, 3, 6)


def test_what_no_block_has_or_has_at_other_lanes_is_not_gathered():
    config = Config.of(WIDE)
    upper = StoredBlock(Box((0, 1), (0, 2), (0, 4), (0, 16)), 0, 0)
    assert gathered(config, [upper], Box((0, 1), (1, 3), (0, 4), (0, 16)), raw=False) is None
    assert gathered(config, [upper], Box((0, 1), (0, 2), (0, 4), (4, 12)), raw=False) is None
    assert gathered(config, [upper], Box((0, 1), (0, 2), (0, 4), (8, 12)), raw=False) is not None


def test_a_load_of_few_channels_takes_whole_words_of_a_spill():
    config = Config.of(WIDE)
    box = Box((0, 1), (0, 4), (0, 4), (0, 2))
    fields = region(config, box, address=5, row_stride=4, plane_stride=16, load=True)
    words = command(Opcode.LOAD, REGION.pack(fields), length=fields["words"], tag=3, stored=1)
    step = Load(np.array(words, dtype=np.uint64), 0, box)
    assert fields["channels"] == 2 and fields["words"] == 4
    whole = fields | {"channels": 0, "words": 16}
    wanted = command(Opcode.LOAD, REGION.pack(whole), length=16, tag=3, stored=1)
    assert whole_words(config, step, raw=False).tolist() == wanted
