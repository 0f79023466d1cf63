"""How far the model of areas was off, for the best of a front: `synthesised`."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rowforge.area.cells import CellCount
from rowforge.area.synthesis import synthesise
from rowforge.exploring.evaluation import cells_of
from rowforge.exploring.search import Trial
from rowforge.exploring.space import SearchSpace
from rowforge.reports.texttable import Column, text_table

_COLUMNS = (
    Column("trial", "trial"),
    Column("LUTs", "synthesised.luts"),
    Column("model", "modelled.luts"),
    Column("off by", "off", "%"),
    Column("block RAMs", "synthesised.block_rams"),
    Column("model", "modelled.block_rams"),
    Column("multipliers", "synthesised.multipliers"),
    Column("model", "modelled.multipliers"),
)


def synthesised(
    space: SearchSpace, front: Sequence[Trial], count: int, show: Callable[[str], None]
) -> list[dict[str, Any]]:
    """What yosys makes of the first points of a front, best by the first objective.

    A row has `trial`, the cells `synthesised` and `modelled`, and `off`, by which share of the
    synthesised LUTs the model exceeds them.
    """
    rows = []
    for trial in front[:count]:
        show(f"synthesising trial {trial.number}")
        real = sum(synthesise(trial.config(space)).values(), CellCount())
        model = cells_of(trial.evaluated)
        off = model.luts / real.luts - 1
        row = {"trial": trial.number, "synthesised": asdict(real), "modelled": asdict(model)}
        rows.append({**row, "off": off})
    return rows


def synthesised_text(rows: Sequence[dict[str, Any]]) -> str:
    """The rows for a reader."""
    return text_table(_COLUMNS, rows, total=False)
