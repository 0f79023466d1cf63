"""The sources of a board's build: Verilog, RTLIL of pins and clocks, constraints."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boards.common.board import Board, SerialLink
from boards.common.top import DESIGN, BoardTop
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.files import write_files

TOP = "top"
VERILOG = f"{DESIGN}.v"
RTLIL = f"{TOP}.il"
# The design's top, its pins and clocks, and where a vendor's tool builds, its script.
_KEPT = (RTLIL, f"{TOP}.v", *(f"{TOP}{end}" for end in (".lpf", ".pcf", ".cst", ".xdc", ".tcl")))


@dataclass(frozen=True)
class Sources:
    """Files by name, and the platform that made them."""

    files: dict[str, str]
    platform: Any


def sources(board: Board, config: Config) -> Sources:
    """All that yosys and nextpnr read; `RowforgeError`, also without amaranth-boards."""
    if not isinstance(board.link, SerialLink):
        raise RowforgeError(f"link of board {board.name} must be a serial line")
    try:
        platform = board.platform()
    except ImportError as error:
        raise RowforgeError(
            f"amaranth-boards is not installed ({error.name}); type pip install 'rowforge[boards]'"
        ) from None
    files = {VERILOG: _verilog(board, board.link, config)}
    if board.family == "xc7":
        platform.add_file(VERILOG, files[VERILOG])  # for Vivado's script
    plan = platform.prepare(BoardTop(board, config.memory), TOP, debug_verilog=False)
    for name, content in plan.files.items():
        if name in _KEPT:
            files[name] = content if isinstance(content, str) else content.decode()
    return Sources(files, platform)


def _verilog(board: Board, link: SerialLink, config: Config) -> str:
    from hw.emit.verilog import emit
    from hw.top.serial import SerialAccelerator  # slow to import

    design = SerialAccelerator(
        config,
        clock=board.clock,
        baud=link.baud,
        request_words=link.words,
        reply_words=link.words,
    )
    return emit(design, DESIGN)


def write(sources: Sources, folder: Path) -> None:
    """Write the files into a folder, made if absent; `RowforgeError` if that fails."""
    write_files(folder, sources.files)
