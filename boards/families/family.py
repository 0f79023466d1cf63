"""What a flow must know of a family of parts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from boards.common.board import Board
from hw.arch.config import Config

Progress = Callable[[str], None]

NETLIST = "netlist.json"
REPORT = "nextpnr.json"


@dataclass(frozen=True)
class Step:
    """A program to run, and its arguments."""

    program: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Resources:
    """Cells in the terms of a `Budget`."""

    lut: int
    ff: int
    dsp: int
    block_ram: int


def placing(board: Board) -> tuple[str, ...]:
    """Options of nextpnr for a board.

    On a large part wires take most of a cycle, and with the placer's own weight of timing a PE is
    spread over all of it. On a part that is nearly full a large weight packs cells so densely that
    no way is left between them. The router is router1: router2 does not come to an end on either.
    """
    return ("--placer-heap-timingweight", "12" if board.dense else "35")


class Family(Protocol):
    """A family of parts."""

    def cells(self, config: Config) -> str:
        """Verilog of modules that take the place of the design's own of the same names."""

    def synthesis(self, board: Board, config: Config, top: str) -> str:
        """yosys commands from the design read to `NETLIST`."""

    def mend(self, netlist: Path) -> None:
        """Change the netlist where nextpnr would waste cells."""

    def place(self, board: Board, platform: object, top: str) -> Step:
        """nextpnr, without the arguments that all families share."""

    def pack(self, board: Board, platform: object, top: str) -> list[Step]:
        """From the routed design to the bitstream."""

    def resources(self, used: Mapping[str, int], netlist: Mapping[str, int]) -> Resources:
        """What was used, from nextpnr's and yosys' counts of cells by type."""
