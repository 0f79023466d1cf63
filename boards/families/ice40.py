"""Lattice iCE40: yosys, nextpnr-ice40, icepack."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boards.common.board import Board
from boards.families.family import NETLIST, Resources, Step
from hw.arch.config import Config

_ROUTED = "routed.asc"
_DEVICES = {"iCE40UP5K": "--up5k"}


class Ice40:
    """See `boards.families.family.Family`."""

    def cells(self, config: Config) -> str:
        return ""

    def mend(self, netlist: Path) -> None:
        """Nothing is wasted."""

    def synthesis(self, board: Board, config: Config, top: str) -> str:
        return f"synth_ice40 -device u -dsp -spram -no-rw-check -top {top} -json {NETLIST}"

    def place(self, board: Board, platform: Any, top: str) -> Step:
        arguments = (
            _DEVICES[platform.device],
            "--package",
            platform.package.lower(),
            "--pcf",
            f"{top}.pcf",
            "--asc",
            _ROUTED,
        )
        return Step("nextpnr-ice40", arguments)

    def pack(self, board: Board, platform: Any, top: str) -> list[Step]:
        return [Step("icepack", (_ROUTED, f"{top}.bin"))]

    def resources(self, used: Mapping[str, int], netlist: Mapping[str, int]) -> Resources:
        return Resources(
            lut=used["ICESTORM_LC"],
            ff=sum(count for cell, count in netlist.items() if cell.startswith("SB_DFF")),
            dsp=used.get("ICESTORM_DSP", 0),
            block_ram=used.get("ICESTORM_RAM", 0),
        )
