"""What a netlist came to, as text and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hw.asic.netlist.blocks import BlockArea, total
from hw.asic.netlist.timing import SlowestPath
from rowforge.asic.flow import AsicResult
from rowforge.reports.texttable import Column, text_table

_COLUMNS = (
    Column("block", "name", left=True),
    Column("count", "count"),
    Column("cells µm²", "cells", ",.0f"),
    Column("macros µm²", "macros", ",.0f"),
    Column("flip-flops", "bits"),
    Column("gated", "share", "%"),
    Column("leakage µW", "microwatts", ",.1f"),
)
_LONGEST_PATH = 12  # steps that are shown at each end


def asic_text(result: AsicResult) -> str:
    """Area by block, leakage by corner and the slowest paths."""
    parts = []
    for number, (corner, blocks) in enumerate(result.blocks.items()):
        everything = total(blocks)
        if number == 0:
            parts.append(f"{result.process}, {corner}, without wires")
            parts.append(text_table(_COLUMNS, [_row(block) for block in (*blocks, everything)]))
        else:
            parts.append(f"{corner}: leakage {1e6 * everything.leakage:,.1f} µW")
    if not result.paths:
        parts.append("no timing: OpenSTA (`sta`) is not installed")
    for corner, path in result.paths.items():
        parts.append(
            f"{corner}: {path.period_ns:.2f} ns, {path.megahertz:.1f} MHz without wires, "
            f"from {path.start} to {path.end}"
        )
    if result.paths:
        parts.append(_steps(next(iter(result.paths.values()))))
    return "\n".join(parts)


def asic_document(result: AsicResult) -> dict[str, Any]:
    """The same as plain values, for `asic.json`; µm², watts and nanoseconds."""
    return {
        "process": result.process,
        "gated_once_a_module": result.gated,
        "corners": {
            corner: {
                "total": asdict(total(blocks)),
                "blocks": [asdict(block) for block in blocks],
                "path": _path(result.paths.get(corner)),
            }
            for corner, blocks in result.blocks.items()
        },
    }


def _path(path: SlowestPath | None) -> dict[str, Any] | None:
    if path is None:
        return None
    return {
        "period_ns": round(path.period_ns, 4),
        "megahertz": round(path.megahertz, 2),
        "start": path.start,
        "end": path.end,
        "steps": [list(step) for step in path.steps],
    }


def _row(block: BlockArea) -> dict[str, Any]:
    return {
        **asdict(block),
        "count": block.count or None,
        "share": block.gated / block.bits if block.bits else None,
        "microwatts": 1e6 * block.leakage,
    }


def _steps(path: SlowestPath) -> str:
    """The steps of a path; of a long one its ends."""
    lines = [f"  {time:8.3f} ns  {pin} ({cell})" for time, pin, cell in path.steps]
    left_out: Sequence[str] = ()
    if len(lines) > 2 * _LONGEST_PATH:
        left_out = lines[_LONGEST_PATH:-_LONGEST_PATH]
        lines = [*lines[:_LONGEST_PATH], f"  … {len(left_out)} steps", *lines[-_LONGEST_PATH:]]
    return "\n".join(lines)
