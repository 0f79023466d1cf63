"""The mapper: folding, ifmap rows, covers, legality and quality of mappings."""

from pathlib import Path

import numpy as np
import pytest

from compiler.mapper.columns import column_waves, linear_period, linear_waves
from compiler.mapper.folding import cover, fold_run
from compiler.mapper.legal import tag_span, violations
from compiler.mapper.objective import plan_objective
from compiler.mapper.search import search
from compiler.mapper.space import ConvShape, Fold, Mapping, Plan, Run
from compiler.mapper.tiles import Cover, Tiles
from hw.arch.config import Config
from hw.arch.config.file import read_config
from hw.arch.errors import RowforgeError
from tests.compiler.support import random_config

_PRESETS = Path(__file__).parents[3] / "rowforge" / "presets"


def preset(name: str) -> Config:
    return read_config(_PRESETS / f"{name}.toml")


def whole_buffer(config: Config) -> int:
    return config.psum_groups * 2 * config.buffer.depth


@pytest.mark.parametrize(
    "tags",
    [[0], [3, 4, 5], [0, 4, 8], [0, 1, 5, 6, 10, 11], [0, 2, 4, 10, 12, 14], [7, 9]],
)
def test_cover_is_exact_for_one_and_two_steps(tags: list[int]) -> None:
    assert cover(tags).tags() == tags


def test_cover_holds_irregular_tags_without_repetition() -> None:
    found = cover([0, 1, 2, 7]).tags()
    assert set(found) >= {0, 1, 2, 7}
    assert len(found) == len(set(found))


def test_a_fold_visits_every_pair_of_every_unit_once() -> None:
    shape = ConvShape(N=1, M=8, C=20, E=4, F=4, R=5, S=1)
    fold = Fold(q=4, span=1, ue=3, runs=(Run(first=0, groups=5),))
    passes = fold_run(shape, fold, fold.runs[0], 12)
    assert [len(p.items) for p in passes] == [12] * 6 + [3]
    items = [item for p in passes for item in p.items]
    assert len(set(items)) == len(items) == 3 * 5 * 5
    for unit in range(3):
        chains = [c for p in passes for c in p.chains if c.ue == unit]
        assert [c.first for c in chains] == [True] + [False] * (len(chains) - 1)
        assert [c.last for c in chains] == [False] * (len(chains) - 1) + [True]


@pytest.mark.parametrize(
    ("stride", "dilation", "tags"),
    [((1, 2), (1, 3), 8), ((2, 1), (3, 1), 17), ((3, 1), (1, 2), 18)],
)
def test_the_rows_of_a_slot_follow_the_vertical_geometry(
    stride: tuple[int, int], dilation: tuple[int, int], tags: int
) -> None:
    """Two units of three columns see five steps of output rows and two steps of filter rows."""
    shape = ConvShape(N=1, M=8, C=4, E=6, F=6, R=3, S=3, stride=stride, dilation=dilation)
    fold = Fold(q=4, span=1, ue=2, runs=(Run(first=0, groups=1),))
    assert tag_span(shape, fold, 3) == tags


def test_units_share_a_pass_where_pairs_do_not_fill_the_rows() -> None:
    shape = ConvShape(N=1, M=8, C=3, E=4, F=4, R=3, S=3)
    fold = Fold(q=3, span=3, ue=4, runs=(Run(first=0, groups=1),))
    (only,) = fold_run(shape, fold, fold.runs[0], 12)
    assert len(only.chains) == 4
    assert len(only.filters) == 3
    assert len(only.slots) == 1


def test_a_cover_of_tiles_is_exact() -> None:
    tiles = Tiles(
        rows=np.array([7, 2, 1]),
        filters=np.array([8, 8, 4]),
        cost=np.array([10.0, 6.0, 2.0]),
        tail=np.zeros(3, dtype=bool),
        index=np.arange(3),
        once=np.zeros(3),
        waves=np.ones(3, dtype=np.int64),
        held=np.ones(3, dtype=np.int64),
    )
    found = Cover(tiles, 0.0, 4).best(9, 20)
    assert found is not None
    _check_cover(
        [
            (row, row + down * tile.rows, filters, filters + across * tile.filters)
            for tile, row, filters, down, across in found[1]
        ],
        9,
        20,
    )


def _check_cover(boxes: list[tuple[int, int, int, int]], rows: int, filters: int) -> None:
    hits = np.zeros((rows, filters), dtype=int)
    for top, bottom, left, right in boxes:
        hits[top:bottom, left:right] += 1
    assert (hits == 1).all()


def check_plan(config: Config, plan: Plan, psum_beats: int) -> None:
    """Every output once; every mapping within the limits of the array."""
    shape = plan.shape
    hits = np.zeros((shape.E, shape.F, shape.M), dtype=int)
    for block in plan.blocks:
        hits[slice(*block.rows), slice(*block.columns), slice(*block.filters)] += 1
        assert violations(config, shape, block.mapping, psum_beats) == []
    assert (hits == 1).all()


@pytest.mark.parametrize("seed", range(40))
def test_plans_of_random_shapes_are_legal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    config = random_config(rng)
    each = int(rng.integers(0, 3))
    channels = int(rng.integers(1, 60))
    E, F = (int(n) for n in rng.integers(1, 30, 2))
    shape = ConvShape(
        N=int(rng.choice([1, 2, 4])),
        M=channels * each if each else int(rng.integers(1, 60)),
        C=channels,
        E=E,
        F=F,
        R=int(rng.integers(1, 8)),
        S=int(rng.integers(1, 8)),
        stride=(int(rng.integers(1, 4)), int(rng.integers(1, 4))),
        dilation=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        multiplier=each,
    )
    beats = whole_buffer(config) // 2
    try:
        plan = search(config, shape, beats)
    except RowforgeError as error:
        assert "must be" in str(error)
        return
    check_plan(config, plan, beats)


@pytest.mark.parametrize("name", ["traffic", "energy"])
def test_objectives_reach_what_they_minimise(name: str) -> None:
    config = preset("eyeriss_v1_int8")
    shape = ConvShape(N=1, M=64, C=32, E=16, F=16, R=3, S=3)
    beats = whole_buffer(config) // 2
    quick, frugal = (search(config, shape, beats, aim) for aim in ("cycles", name))
    assert quick.cycles <= frugal.cycles
    figures = [plan_objective(name, config, plan) for plan in (quick, frugal)]
    assert figures[1] <= figures[0]


def test_an_unknown_objective_is_refused() -> None:
    shape = ConvShape(N=1, M=8, C=8, E=2, F=2, R=1, S=1)
    with pytest.raises(RowforgeError, match="objective must be one of"):
        search(preset("tiny"), shape, 64, "beauty")


@pytest.mark.parametrize(
    ("C", "M", "E", "R", "stride", "least"),
    [(16, 16, 32, 3, 1, 0.85), (32, 32, 16, 3, 1, 0.85), (64, 64, 8, 3, 1, 0.72)],
)
def test_resnet8_layers_use_the_array_well(
    C: int, M: int, E: int, R: int, stride: int, least: float
) -> None:
    config = preset("eyeriss_v1_int8")
    shape = ConvShape(N=1, M=M, C=C, E=E, F=E, R=R, S=R, stride=(stride, stride))
    plan = search(config, shape, whole_buffer(config) // 2)
    assert shape.macs / (config.multipliers * plan.cycles) >= least


@pytest.mark.parametrize(("rows", "width", "groups"), [(8, 14, 8), (13, 14, 24), (5, 3, 4)])
def test_linear_columns_hold_every_task_once(rows: int, width: int, groups: int) -> None:
    fold = Fold(q=4, span=1, runs=(Run(first=0, groups=1),))
    mapping = Mapping(fold=fold, p=4, ce=rows, cm=9, cn=1, windows=1, width=width)
    waves = column_waves(mapping, groups)
    tasks = [(wave.first + task.group, task.row) for wave in waves for task in wave.tasks]
    assert tasks == [(group, row) for group in range(groups) for row in range(rows)]
    count, wide = linear_waves(rows, width, groups)
    least = -(-width // rows)
    assert count == len(waves)
    assert wide == sum(wave.groups > least for wave in waves)
    period, each = linear_period(rows, width)
    assert period * width == each * rows


def test_rows_that_do_not_divide_the_columns_are_dealt_out() -> None:
    config = preset("eyeriss_v1_int8")
    shape = ConvShape(N=1, M=64, C=64, E=8, F=8, R=3, S=3)
    plan = search(config, shape, whole_buffer(config) // 2)
    assert any(block.mapping.linear for block in plan.blocks)


def test_a_layer_without_a_mapping_names_a_field_that_would_help() -> None:
    config = Config.of({"pe.ifmap_spad": 2, "noc.ifmap": 4})
    shape = ConvShape(N=1, M=8, C=8, E=2, F=2, R=1, S=1)
    with pytest.raises(RowforgeError, match="ifmap_spad must be at least 4 .* not 2"):
        search(config, shape, 64)
