"""From a board and a configuration to a bitstream and its report: yosys, nextpnr, packing."""

import json
from collections.abc import Callable
from pathlib import Path

from boards.common import design, nextpnr
from boards.common.board import AxiLink, Board
from boards.common.report import BuildReport, begin
from boards.common.tools import Clock, Tool, find, run
from boards.families.ecp5 import Ecp5
from boards.families.family import NETLIST, REPORT, Family, Progress
from boards.families.gowin import Gowin
from boards.families.ice40 import Ice40
from boards.vivado.xc7 import build_xc7
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.emit.prefix import PREFIX

Build = Callable[[Board, Config, Path, int, Progress], BuildReport]

_CELLS = "cells.v"
_STATISTICS = "cells.json"
_BITSTREAM_SUFFIXES = (".bit", ".bin", ".fs")
_TOOLS = {
    "ecp5": ("yosys", "nextpnr-ecp5", "ecppack"),
    "ice40": ("yosys", "nextpnr-ice40", "icepack"),
    "gowin": ("yosys", "nextpnr-himbaechel", "gowin_pack"),
}


def build(
    board: Board,
    config: Config,
    out_dir: Path,
    seed: int,
    progress: Progress,
    *,
    prefix: str = PREFIX,
) -> BuildReport:
    """Build for a board; the family's flow.

    Parameters
    ----------
    board, config
        What for, and what.
    out_dir : path
        Made if absent; takes sources, logs, netlist and the bitstream `top.*`.
    seed : int
        Of place and route.
    progress : function
        Told what is being done.
    prefix : str
        Name of the part for Vivado and of its top module; other boards have no part.

    Returns the report; without a bitstream if the timing is not met, or if only the vendor's tool
    makes one. Raises `RowforgeError` for tools that are missing or fail, if nextpnr finds no room,
    and for a prefix that a board has no use for.
    """
    board.check_memory(config.memory)
    if isinstance(board.link, AxiLink):
        return build_xc7(board, config, out_dir, seed, progress, prefix)
    if prefix != PREFIX:
        raise RowforgeError(
            f"prefix must be left out for board {board.name}, whose whole bitstream is made here, "
            f"not {prefix!r}"
        )
    return FLOWS[board.family](board, config, out_dir, seed, progress)


def check_programs(board: Board) -> dict[str, Tool]:
    """The programs of the open flow for a board, by name.

    Raises `RowforgeError` that says what to install if one is missing, or for a part that only the
    vendor's tool places.
    """
    if board.family not in _TOOLS:
        raise RowforgeError(f"board {board.name} must have a part that nextpnr places")
    return {name: find(name) for name in _TOOLS[board.family]}


def _open_flow(family: Family) -> Build:
    def build_open(
        board: Board, config: Config, out_dir: Path, seed: int, progress: Progress
    ) -> BuildReport:
        clock = Clock()
        report = begin(board, config, seed)
        programs = check_programs(board)
        report.tools = {name: tool.version for name, tool in programs.items()}
        progress("writing Verilog")
        sources = design.sources(board, config)
        design.write(sources, out_dir)
        counts = _synthesise(family, board, config, programs["yosys"], out_dir, progress)
        outcome = _place(family, board, sources.platform, programs, out_dir, seed, progress)
        resources = family.resources(outcome.used, counts)
        report.lut, report.ff = resources.lut, resources.ff
        report.dsp, report.block_ram = resources.dsp, resources.block_ram
        report.fmax_mhz = round(outcome.fmax / 1e6, 2)
        report.met = outcome.met
        report.critical_path = outcome.path
        report.cells = {cell: count for cell, count in outcome.used.items() if count}
        if outcome.met:
            for step in family.pack(board, sources.platform, design.TOP):
                run(
                    programs[step.program],
                    step.arguments,
                    out_dir,
                    show=progress,
                    log=f"{step.program}.log",
                )
        report.files = _made(out_dir)
        report.wall_s, report.cpu_s = round(clock.wall, 1), round(clock.cpu, 1)
        return report

    return build_open


FLOWS: dict[str, Build] = {
    "ecp5": _open_flow(Ecp5()),
    "ice40": _open_flow(Ice40()),
    "gowin": _open_flow(Gowin()),
    "xc7": build_xc7,
}


def _synthesise(
    family: Family, board: Board, config: Config, yosys: Tool, folder: Path, progress: Progress
) -> dict[str, int]:
    """Make the netlist; returns its cells by type."""
    commands = family.synthesis(board, config, design.TOP)
    (folder / _CELLS).write_text(family.cells(config), encoding="utf-8")
    script = (
        f"read_rtlil {design.RTLIL}; read_verilog {design.VERILOG}; "
        f"read_verilog -overwrite {_CELLS}; "
        f"hierarchy -top {design.TOP}; {commands}; "
        f"tee -q -o {_STATISTICS} stat -json -top {design.TOP}"
    )
    run(yosys, ["-p", script], folder, show=progress, log="yosys.log")
    family.mend(folder / NETLIST)
    try:
        counts = json.loads((folder / _STATISTICS).read_text("utf-8"))["design"]
    except (OSError, ValueError, KeyError) as error:
        raise RowforgeError(f"yosys has left no statistics: {error}") from None
    return dict(counts["num_cells_by_type"])


def _place(
    family: Family,
    board: Board,
    platform: object,
    programs: dict[str, Tool],
    folder: Path,
    seed: int,
    progress: Progress,
) -> nextpnr.Outcome:
    step = family.place(board, platform, design.TOP)
    shared = (
        "--json",
        NETLIST,
        "--report",
        REPORT,
        "--seed",
        str(seed),
        "--freq",
        f"{board.clock / 1e6:g}",
        "--timing-allow-fail",  # whether it is met is read from the report
    )
    run(
        programs[step.program],
        [*step.arguments, *shared],
        folder,
        show=progress,
        log="nextpnr.log",
    )
    return nextpnr.read_report(folder / REPORT, board.clock)


def _made(folder: Path) -> dict[str, int]:
    return {
        path.name: path.stat().st_size
        for path in sorted(folder.iterdir())
        if path.suffix in _BITSTREAM_SUFFIXES
    }
