"""Lattice ECP5: yosys, nextpnr-ecp5, ecppack."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boards.common.board import Board
from boards.common.top import DESIGN
from boards.families.dense import AREA, SHORT_SUMS
from boards.families.ecp5_cells import gated_adder, without_loose_carries
from boards.families.family import NETLIST, Resources, Step, placing
from hw.arch.config import Config

_ROUTED = "routed.config"
_DEVICES = {
    "LFE5U-25F": "--25k",
    "LFE5U-45F": "--45k",
    "LFE5U-85F": "--85k",
    "LFE5UM-85F": "--um-85k",
    "LFE5UM5G-45F": "--um5g-45k",
    "LFE5UM5G-85F": "--um5g-85k",
}
_PACKAGES = {"MG285": "CSFBGA285", "BG381": "CABGA381", "BG554": "CABGA554"}

_PE = f"{DESIGN}_pe"
_REQUANTISER_DSP = 4
_OTHER_DSP = 2  # address of a result; product of two operands in the vector engine


def _without_dsp(board: Board, config: Config) -> str:
    """Commands that keep the smaller products out of the DSP blocks where the array needs all."""
    if config.multipliers + _REQUANTISER_DSP + _OTHER_DSP <= board.budget.dsp:
        return ""
    modules = (f"{DESIGN}_psum_writer", f"{DESIGN}_vector_engine")
    products = " ".join(f"{module}/t:$mul" for module in modules)
    return f"wreduce {' '.join(modules)}; alumacc {products}; "


class Ecp5:
    """See `boards.families.family.Family`."""

    def cells(self, config: Config) -> str:
        return gated_adder(config, DESIGN)

    def mend(self, netlist: Path) -> None:
        without_loose_carries(netlist)

    def synthesis(self, board: Board, config: Config, top: str) -> str:
        # PEs are synthesised once, and everything else as one piece.
        once = f"setattr -mod -set keep_hierarchy 1 {_PE}; "
        whole = f"setattr -mod -unset keep_hierarchy {_PE}; flatten; clean; write_json {NETLIST}"
        # A word read and written in one cycle is undefined by the contract of `hw.base.block.Ram`.
        synth = f"synth_ecp5 -noabc9 -no-rw-check -nowidelut -top {top}"
        if not board.dense:
            return f"{once}{synth}; {whole}"
        return (
            f"proc; opt_expr; {_without_dsp(board, config)}{once}"
            f"{synth} -run begin:map_ram; {SHORT_SUMS}; "
            f"{synth} -run map_ram:map_luts; {AREA}; "
            f"{synth} -run map_cells:; {whole}"
        )

    def place(self, board: Board, platform: Any, top: str) -> Step:
        arguments = (
            _DEVICES[platform.device],
            "--package",
            _PACKAGES[platform.package],
            "--speed",
            platform.speed,
            "--lpf",
            f"{top}.lpf",
            "--textcfg",
            _ROUTED,
            *placing(board),
        )
        return Step("nextpnr-ecp5", arguments)

    def pack(self, board: Board, platform: Any, top: str) -> list[Step]:
        return [Step("ecppack", (*board.options, "--compress", _ROUTED, f"{top}.bit"))]

    def resources(self, used: Mapping[str, int], netlist: Mapping[str, int]) -> Resources:
        return Resources(
            lut=used["TRELLIS_COMB"],
            ff=used["TRELLIS_FF"],
            dsp=used.get("MULT18X18D", 0),
            block_ram=used.get("DP16KD", 0),
        )
