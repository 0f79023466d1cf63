"""A mapping in words and numbers: what it does, what bounds it, which PEs idle and why."""

from collections.abc import Sequence
from typing import Any

from compiler.mapper.cost import Cost
from compiler.mapper.folding import fold_run
from compiler.mapper.space import ConvShape, MappedBlock
from hw.arch.config import Config


def summary(config: Config, parts: Sequence[tuple[ConvShape, MappedBlock]]) -> dict[str, Any]:
    """The mapping of the block that takes most of a layer's time, and figures of all blocks.

    Keys: `channels` (in a PE), `taps` (of a filter row in a PE), `filters` (in a PE), `unit_rows`
    and `unit_filters` (tasks of a column), `column_rows`, `column_filters`, `column_items`,
    `linear` (rows of all filter groups are dealt out to the columns in turn; otherwise
    the columns are a grid), `windows` (F tile), `blocks`, `passes`, `active_pes` (average share of
    the array, percent), `bound` (busiest resource) and `idle` (a sentence, empty if no PE idles).
    """
    shape, main = max(parts, key=lambda part: part[1].load.cycles)
    mapping, fold = main.mapping, main.mapping.fold
    total = sum((block.load for _, block in parts), Cost())
    active = sum(active_share(config, s, b) * b.load.cycles for s, b in parts)
    share = active / max(total.cycles, 1)
    return {
        "channels": fold.q,
        "taps": fold.span,
        "filters": mapping.p,
        "unit_rows": fold.ue,
        "unit_filters": fold.um,
        "column_rows": mapping.ce,
        "column_filters": mapping.cm,
        "column_items": mapping.cn,
        "linear": mapping.linear,
        "windows": mapping.windows,
        "blocks": len(parts),
        "passes": total.passes,
        "active_pes": round(100 * share, 1),
        "bound": total.bound,
        "idle": idle_reason(config, shape, main),
    }


def active_share(config: Config, shape: ConvShape, block: MappedBlock) -> float:
    """Share of the PEs that compute in an average pass of a block."""
    fold = block.mapping.fold
    used, passes = 0, 0
    for run in fold.runs:
        found = fold_run(shape, fold, run, config.array.rows)
        used += run.chunks * sum(len(row_pass.items) for row_pass in found)
        passes += run.chunks * len(found)
    return used * block.mapping.columns / (passes * config.array.rows * config.array.cols)


def idle_reason(config: Config, shape: ConvShape, block: MappedBlock) -> str:
    """Why PEs idle in a block."""
    mapping = block.mapping
    reasons = []
    if mapping.columns < config.array.cols:
        reasons.append(
            f"{config.array.cols - mapping.columns} of {config.array.cols} columns: "
            f"{mapping.columns} tasks side by side suit {shape.E} output rows "
            f"and {shape.lanes} filters best"
        )
    runs = mapping.fold.runs
    last = fold_run(shape, mapping.fold, runs[0], config.array.rows)[-1]
    if len(last.items) < config.array.rows:
        reasons.append(
            f"{config.array.rows - len(last.items)} of {config.array.rows} rows in the last pass "
            f"of a wave: its pairs do not fill the array"
        )
    return "; ".join(reasons)
