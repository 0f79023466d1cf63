"""Plans of nests, kept: `kept_search`, `kept_flat_plans`."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias

from compiler.cache.kept import kept
from compiler.mapper.cost import Cost
from compiler.mapper.resources.model import array_model
from compiler.mapper.search import search
from compiler.mapper.space import ConvShape, Fold, MappedBlock, Mapping, Plan, Run
from compiler.nest.flat import flat_plans
from hw.arch.accesses import Accesses, Tally
from hw.arch.config import Config
from hw.arch.errors import RowforgeError

_Plans: TypeAlias = list[tuple[Plan, int]]

UNREAD = frozenset(
    {
        "pe.psum_fifo",
        "pe.zero_gating",
        "noc.pipeline",
        "link.width",
        "link.coding",
        "control.pipeline",
        "control.watchdog",
        "control.access_counters",
    }
)
"""Fields of a configuration that no mapping and no schedule depends on."""


def searched_fields(config: Config) -> dict[str, Any]:
    """The fields that mappings and schedules may depend on, by name."""
    return {name: value for name, value in config.values().items() if name not in UNREAD}


@lru_cache(maxsize=4096)
def kept_search(
    config: Config, shape: ConvShape, psum_beats: int, aim: str = "cycles", *, quick: bool = False
) -> Plan:
    """As `search`, for plans that will be needed again; refusals are kept, too."""
    plans = _kept_plans(
        "search",
        config,
        shape,
        (psum_beats, aim, quick),
        lambda: [(search(config, shape, psum_beats, aim, quick=quick), 0)],
    )
    return plans[0][0]


@lru_cache(maxsize=1024)
def kept_flat_plans(config: Config, shape: ConvShape, psum_beats: int, aim: str) -> _Plans:
    """As `flat_plans`, for plans that will be needed again."""
    return _kept_plans(
        "flat",
        config,
        shape,
        (psum_beats, aim),
        lambda: flat_plans(config, shape, psum_beats, aim),
    )


def _kept_plans(
    kind: str, config: Config, shape: ConvShape, key: Any, find: Callable[[], _Plans]
) -> _Plans:
    def found_or_refused() -> _Plans | str:
        try:
            return find()
        except RowforgeError as error:
            return str(error)

    def unpacked(entry: Any) -> _Plans | str:
        if isinstance(entry, str):
            return entry
        return [_unpacked(config, shape, *plan) for plan in entry]

    found: _Plans | str = kept(
        kind,
        (searched_fields(config), shape, key),
        found_or_refused,
        pack=lambda plans: plans if isinstance(plans, str) else [_packed(*plan) for plan in plans],
        unpack=unpacked,
    )
    if isinstance(found, str):
        raise RowforgeError(found)
    return found


def _packed(plan: Plan, pixel: int) -> list[Any]:
    shape = plan.shape
    return [shape.E, shape.F, [_packed_block(block) for block in plan.blocks], pixel]


def _unpacked(
    config: Config, whole: ConvShape, E: int, F: int, blocks: list[Any], pixel: int
) -> tuple[Plan, int]:
    """`whole` : the nest, of which a flat plan covers a part that is cut in another way."""
    shape = replace(whole, E=E, F=F)
    return Plan(shape=shape, blocks=tuple(_block(config, *each) for each in blocks)), pixel


def _packed_block(block: MappedBlock) -> list[Any]:
    mapping, load = block.mapping, block.load
    fold = mapping.fold
    assert block.chosen is None  # a search chooses no waves
    runs = [[run.first, run.groups, run.chunks] for run in fold.runs]
    return [
        [fold.q, fold.span, fold.ue, fold.um, runs, fold.row_loop, fold.tap_loop],
        [mapping.p, mapping.ce, mapping.cm, mapping.cn, mapping.windows, mapping.width],
        [block.rows, block.columns, block.filters, block.held],
        [load.cycles, load.passes, load.busy.amounts, load.accesses.amounts],
    ]


def _block(
    config: Config, fold: list[Any], mapping: list[int], place: list[Any], load: list[Any]
) -> MappedBlock:
    q, span, ue, um, runs, row_loop, tap_loop = fold
    p, ce, cm, cn, windows, width = mapping
    rows, columns, filters, held = (tuple(each) for each in place)
    cycles, passes, busy, accesses = load
    model = array_model(config)
    return MappedBlock(
        mapping=Mapping(
            fold=Fold(
                q=q,
                span=span,
                ue=ue,
                um=um,
                runs=tuple(Run(first=a, groups=b, chunks=c) for a, b, c in runs),
                row_loop=row_loop,
                tap_loop=tap_loop,
            ),
            p=p,
            ce=ce,
            cm=cm,
            cn=cn,
            windows=windows,
            width=width,
        ),
        rows=rows,
        columns=columns,
        filters=filters,
        held=held,
        load=Cost(
            cycles=cycles,
            passes=passes,
            busy=Tally(model.resources, busy),
            accesses=Accesses(model.accesses, accesses),
        ),
    )
