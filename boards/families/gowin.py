"""Gowin: yosys, nextpnr-himbaechel, gowin_pack."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boards.common.board import Board
from boards.families.dense import AREA, SHORT_SUMS
from boards.families.family import NETLIST, Resources, Step, placing
from hw.arch.config import Config

_ROUTED = "routed.json"
_CHIP = {"GW2AR-18C": "GW2A-18C"}  # the die, which databases are named after


class Gowin:
    """See `boards.families.family.Family`."""

    def cells(self, config: Config) -> str:
        return ""

    def mend(self, netlist: Path) -> None:
        """Nothing is wasted."""

    def synthesis(self, board: Board, config: Config, top: str) -> str:
        synth = f"synth_gowin -family gw2a -no-rw-check -top {top}"
        if not board.dense:
            return f"{synth} -json {NETLIST}"
        return (
            f"{synth} -run begin:map_ram; {SHORT_SUMS}; "
            f"{synth} -run map_ram:map_luts; {AREA}; "
            f"{synth} -run map_cells:; write_json {NETLIST}"
        )

    def place(self, board: Board, platform: Any, top: str) -> Step:
        arguments = (
            "--device",
            platform.part,
            "--vopt",
            f"family={_CHIP[platform.family]}",
            "--vopt",
            f"cst={top}.cst",
            "--write",
            _ROUTED,
            *placing(board),
        )
        return Step("nextpnr-himbaechel", arguments)

    def pack(self, board: Board, platform: Any, top: str) -> list[Step]:
        chip = _CHIP[platform.family]
        return [Step("gowin_pack", ("-d", chip, "-o", f"{top}.fs", _ROUTED))]

    def resources(self, used: Mapping[str, int], netlist: Mapping[str, int]) -> Resources:
        logic = ("LUT4", "ALU", "MUX2_LUT5", "MUX2_LUT6", "MUX2_LUT7", "MUX2_LUT8")
        distributed = sum(4 * count for cell, count in used.items() if cell.startswith("RAM16SDP"))
        return Resources(
            lut=sum(used.get(cell, 0) for cell in logic[:2]) + distributed,
            ff=used.get("DFF", 0),
            dsp=sum(count for cell, count in used.items() if cell.startswith(("MULT", "DSP"))),
            block_ram=used.get("BSRAM", 0),
        )
