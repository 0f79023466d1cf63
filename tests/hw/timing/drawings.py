"""Timing drawings in the docstrings of blocks, and what the blocks do in a simulation.

A drawing is a table in a section `Timing`: a row for each port or field, a column for each cycle.

    cycle            0  1  2
    input.valid      1  0  0
    output.valid     0  1  .

Rows of inputs are what the simulation drives, rows of outputs what it must answer with; `.` is 0
where it is driven, and anything where it is answered. Numbers are decimal; a name stands for a
number that is too long to be drawn. Ports that are not drawn are 0.
"""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Flow, In
from amaranth.sim import Simulator

SECTION = "Timing\n------\n"
ANYTHING = "."


@dataclass(frozen=True)
class Drawing:
    """The cells of each row, as many as there are cycles."""

    rows: dict[str, list[str]]

    @property
    def cycles(self) -> int:
        """Columns."""
        return len(next(iter(self.rows.values())))


def drawings(cls: type, names: Mapping[str, int] | None = None) -> list[Drawing]:
    """All drawings of a class's own docstring, from top to bottom, with numbers for `names`."""
    text = inspect.cleandoc(cls.__doc__ or "").partition(SECTION)[2]
    known = {name: str(value) for name, value in (names or {}).items()}
    return [
        Drawing({port: [known.get(cell, cell) for cell in cells] for port, cells in rows.items()})
        for rows in _tables(text.splitlines())
    ]


def _tables(lines: list[str]) -> Iterator[dict[str, list[str]]]:
    rows: dict[str, list[str]] | None = None
    for line in [*lines, ""]:
        name, *cells = line.split() or [""]
        if name == "cycle" and line.startswith(" "):
            assert cells == [str(i) for i in range(len(cells))], line
            rows, width = {}, len(cells)
        elif rows is not None and line.strip():
            assert len(cells) == width and name not in rows, line
            rows[name] = cells
        elif rows is not None:
            yield rows
            rows = None


def answered(
    block: wiring.Component, drawing: Drawing, constants: Mapping[str, int] | None = None
) -> dict[str, list[int]]:
    """What each output of the drawing is in each cycle, while its inputs are driven."""
    m = Module()
    m.submodules.block = block
    placed = {name: _place(block, name) for name in drawing.rows}
    fixed = [(_place(block, name)[1], value) for name, value in (constants or {}).items()]
    seen: dict[str, list[int]] = {name: [] for name, (flow, _) in placed.items() if flow is not In}

    async def testbench(ctx: Any) -> None:
        for value, constant in fixed:
            ctx.set(value, constant)
        for cycle in range(drawing.cycles):
            for name, (flow, value) in placed.items():
                if flow is In:
                    cell = drawing.rows[name][cycle]
                    ctx.set(value, 0 if cell == ANYTHING else int(cell))
            for name, values in seen.items():
                values.append(ctx.get(placed[name][1]))
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return seen


def differences(
    block: wiring.Component, drawing: Drawing, constants: Mapping[str, int] | None = None
) -> list[str]:
    """Cells that the block answers otherwise."""
    return [
        f"{name} in cycle {cycle}: {is_} not {drawn}"
        for name, values in answered(block, drawing, constants).items()
        for cycle, (is_, drawn) in enumerate(zip(values, drawing.rows[name], strict=True))
        if drawn != ANYTHING and int(drawn) != is_
    ]


def _place(block: wiring.Component, name: str) -> tuple[Flow, Any]:
    """Direction and value of a port, or of a field of one."""
    parts = [int(part) if part.isdigit() else part for part in name.split(".")]
    for path, member, port in block.signature.flatten(block):
        if tuple(parts[: len(path)]) == path:
            value = port
            for part in parts[len(path) :]:
                value = value[part]
            plain = isinstance(value, data.View) and not isinstance(value, Value)
            return member.flow, Value.cast(value) if plain else value
    raise KeyError(f"{type(block).__name__} has no port {name}")


def drawn(block: wiring.Component, stimulus: str, constants: Mapping[str, int] | None = None):
    """The drawing of a stimulus, in which each output's row is a name alone: a help for authors."""
    lines = [line.split() for line in inspect.cleandoc(stimulus).splitlines()]
    width = max(len(line) for line in lines) - 1
    rows = {name: cells or [ANYTHING] * width for name, *cells in lines}
    answers = answered(block, Drawing(rows), constants)
    rows |= {name: [str(value) for value in values] for name, values in answers.items()}
    table = {"cycle": [str(i) for i in range(width)], **rows}
    size = max(len(cell) for cells in table.values() for cell in cells)
    label = max(len(name) for name in table)
    gap = "  " if width <= 16 else " "
    return "\n".join(
        f"{name:<{label}}  " + gap.join(f"{cell:>{size}}" for cell in cells)
        for name, cells in table.items()
    )
