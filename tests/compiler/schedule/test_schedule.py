"""Parts of the lowering: tables, hazards, loops, filters, tiling."""

from itertools import product

import numpy as np
import pytest

from compiler.mapper.columns import column_waves
from compiler.mapper.folding import fold_run
from compiler.mapper.space import ConvShape, Fold, Mapping, Run
from compiler.nest.filters import filter_bank, pass_filters
from compiler.operators.operation import window_reach
from compiler.schedule.space import Space
from compiler.stream.hazards import NO_WAIT, BufferAccess, HazardTracker, Wait
from compiler.stream.loops import Loop, loop_records, wrapped
from compiler.stream.tables import RoundRobin
from hw.arch.commands import BASES, LOOP, LOOPS
from hw.arch.config import Config


def test_a_table_reuses_equal_entries_until_they_are_overwritten() -> None:
    table = RoundRobin(4)
    assert table.find("a") is None
    assert table.place("a", 3) == (0, False)
    table.use()
    assert table.find("a") == 0
    first, busy = table.place("b", 2)
    assert (first, busy) == (0, True)
    assert table.find("a") is None


def test_an_idle_table_may_be_overwritten() -> None:
    table = RoundRobin(2)
    table.place("a", 2)
    table.use()
    table.idle()
    assert table.place("b", 1) == (0, False)


def test_entries_in_use_by_a_later_command_are_busy_again() -> None:
    table = RoundRobin(2)
    table.place("a", 2)
    table.use()
    table.idle()
    table.find("a")
    table.use()
    assert table.place("b", 1) == (0, True)


@pytest.mark.parametrize(
    ("later", "waits"),
    [
        (BufferAccess(reads=((0, 4),)), False),
        (BufferAccess(reads=((8, 9),)), True),
        (BufferAccess(writes=((3, 5),)), True),
        (BufferAccess(writes=((10, 12),)), False),
        (BufferAccess(psums=((9, 20),)), True),
    ],
)
def test_commands_wait_for_conflicting_ones(later: BufferAccess, waits: bool) -> None:
    hazards = HazardTracker()
    hazards.conv(BufferAccess(reads=((0, 4),), writes=((4, 10),)), synced=False)
    assert hazards.wait(later) == Wait(fence=waits)
    assert hazards.wait_conv(later) == (NO_WAIT, waits)


def test_older_convolutions_are_waited_for_alone() -> None:
    hazards = HazardTracker()
    hazards.conv(BufferAccess(reads=((0, 4),)), synced=False)
    hazards.conv(BufferAccess(reads=((8, 12),)), synced=False)
    assert hazards.wait(BufferAccess(writes=((0, 1),))) == Wait(older=1)
    assert hazards.wait_conv(BufferAccess(writes=((0, 1),))) == (Wait(older=1), False)
    assert hazards.wait(BufferAccess(writes=((0, 9),))) == Wait(fence=True)
    hazards.waited(Wait(older=1))
    assert hazards.wait(BufferAccess(writes=((0, 1),))) == NO_WAIT
    hazards.computed()
    assert hazards.wait(BufferAccess(writes=((0, 9),))) == NO_WAIT


def test_only_as_many_convolutions_are_waited_for_as_conflict() -> None:
    hazards = HazardTracker()
    for word in range(5):
        hazards.conv(BufferAccess(reads=((word, word + 1),)), synced=False)
    waits = [hazards.wait(BufferAccess(writes=((word, word + 1),))) for word in range(5)]
    assert waits == [Wait(older=3), Wait(older=3), Wait(older=2), Wait(older=1), Wait(fence=True)]
    hazards.waited(Wait(older=2))
    assert hazards.wait(BufferAccess(writes=((0, 3),))) == NO_WAIT
    assert hazards.wait(BufferAccess(writes=((3, 4),))) == Wait(older=1)


def test_a_store_is_waited_for() -> None:
    hazards = HazardTracker()
    hazards.store(BufferAccess(reads=((0, 4),)))
    assert hazards.wait(BufferAccess(writes=((3, 4),))) == Wait(stored=True)
    assert hazards.wait_conv(BufferAccess(psums=((3, 4),))) == (Wait(stored=True), False)
    assert hazards.wait(BufferAccess(reads=((3, 4),))) == NO_WAIT
    hazards.waited(Wait(stored=True))
    assert hazards.wait(BufferAccess(writes=((3, 4),))) == NO_WAIT


def test_psums_of_convolutions_follow_each_other_without_waiting() -> None:
    hazards = HazardTracker()
    hazards.conv(BufferAccess(psums=((0, 8),)), synced=False)
    assert hazards.wait_conv(BufferAccess(psums=((0, 8),))) == (NO_WAIT, False)
    assert hazards.wait(BufferAccess(writes=((0, 1),))) == Wait(fence=True)


def test_a_sync_serves_later_convolutions_only() -> None:
    hazards = HazardTracker()
    hazards.conv(BufferAccess(writes=((0, 8),)), synced=False)
    hazards.conv(BufferAccess(reads=((0, 8),)), synced=True)
    assert hazards.wait_conv(BufferAccess(reads=((0, 8),))) == (NO_WAIT, False)
    assert hazards.wait(BufferAccess(reads=((0, 8),))) == Wait(older=1)
    hazards.waited(Wait(fence=True))
    assert hazards.wait(BufferAccess(reads=((0, 8),))) == NO_WAIT


def test_loop_records_step_the_bases_as_the_hardware_does() -> None:
    loops = [
        Loop(count=3, steps={"y": 2, "ifmap": -7}),
        Loop(count=2, steps={"channel": 8}, accumulate=True),
        Loop(count=4, steps={"rows": 1, "ifmap": 5}),
    ]
    records, masks = loop_records(loops)
    assert masks == {"accumulate": 1 << (LOOPS - 2), "held": 0}
    fields = [LOOP.unpack(record) for record in records]
    counts = [field["count"] for field in fields]
    bases = {item.name: 0 for item in BASES.fields}
    index = [0] * LOOPS
    seen = []
    while True:
        seen.append((bases["y"], bases["channel"], bases["rows"], bases["ifmap"]))
        open_ = [i for i in range(LOOPS) if index[i] < counts[i] - 1]
        if not open_:
            break
        index[open_[-1] :] = [index[open_[-1]] + 1] + [0] * (LOOPS - open_[-1] - 1)
        stepped = {name: bases[name] + fields[open_[-1]][name] for name in bases}
        bases.update(wrapped(stepped))
    assert seen == [
        (2 * i, 8 * j, k, (-7 * i + 5 * k) % (1 << 20))
        for i, j, k in product(range(3), range(2), range(4))
    ]


def test_filters_are_ordered_tap_channel_filter() -> None:
    config = Config.of({"pe.macs": 1, "noc.filter": 4, "array.rows": 4})
    shape = ConvShape(N=1, M=6, C=4, E=1, F=1, R=2, S=3)
    fold = Fold(q=2, span=3, runs=(Run(first=0, groups=2),))
    mapping = Mapping(fold=fold, p=3, ce=1, cm=2, cn=1, windows=1)
    weights = np.arange(6 * 2 * 3 * 4).reshape(6, 2, 3, 4) % 128
    bank = filter_bank(config, shape, mapping, weights.astype(np.int8), 0)
    assert bank.beats == 5  # 18 words in beats of 4
    (only,) = fold_run(shape, fold, fold.runs[0], config.array.rows)
    (wave,) = column_waves(mapping, 2)
    words = pass_filters(config, bank, mapping, only, wave, 0, (0, 0, 0))
    stream = words.astype("<u8").view(np.int8).reshape(-1, bank.beats * 4)[:8]
    for block, ((_, group, _, row), tid) in zip(
        stream, product(only.filters, range(2)), strict=True
    ):
        expected = [
            weights[tid * 3 + p, row, s, group * 2 + c]
            for s, c, p in product(range(3), range(2), range(3))
        ]
        assert block[:18].tolist() == expected


@pytest.mark.parametrize(
    ("span", "expected"),
    [((0, 1), (0, 2)), ((0, 4), (0, 8)), ((2, 4), (3, 8)), ((3, 4), (5, 8))],
)
def test_window_reach_is_clipped_to_the_input(span: tuple[int, int], expected: object) -> None:
    assert window_reach(span, 8, stride=2, pad=1, taps=3, dilation=1) == expected


def test_activations_and_psums_share_the_banks() -> None:
    config = Config.of({"buffer.banks": 8, "buffer.depth": 64, "noc.psum_in": 2, "noc.psum_out": 2})
    space = Space(config)
    assert space.limit(0) == 512
    assert space.groups_above(512) == 0
    assert space.groups_above(384) == 1
    assert space.groups_above(513) == -1
    space.take("a", 0, 100)
    space.take("b", 150, 10)
    assert space.place([50, 60]) == [100, 160]
    assert space.place([500]) is None
    space.free("a")
    assert space.place([120]) == [0]
    assert space.top == 160
