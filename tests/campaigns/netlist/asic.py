"""Digits on the netlist of `tiny` for IHP SG13G2, on models of its memory macros.

    python -m tests.campaigns.netlist.asic [--digits N] [-o FOLDER]

Every layer must be equal in every bit, and take the same cycles as on the emitted Verilog. Every
instance that the layout files place must be in the netlist.
"""

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

from hw.asic.netlist.netlist import Netlist
from hw.asic.process import IHP_SG13G2
from rowforge.asic.flow import CornerLibraries, analyse, read_corners
from rowforge.asic.report import asic_text
from rowforge.configs import preset
from rowforge.demonstration import held_out_digits
from rowforge.running.compilation import Compiled, compile_model, digits_model
from rowforge.running.execution import run_once
from sim.netlist.gates.design import gate_design
from sim.netlist.gates.library import gate_library
from tests.campaigns.netlist.target import library_target
from tests.support.missed import Condition, conclude
from tests.support.pdk import ROOT

_CORNERS = ("typ_1p20V_25C", "slow_1p08V_125C")
_MACROS = ("1P_256x64_c2_bm_bist", "2P_256x32_c2_bm_bist", "2P_512x32_c2_bm_bist")


def liberty_files() -> list[Path]:
    """Of both corners: the standard cells, and the macros of `tiny`."""
    folder = ROOT / "ihp-sg13g2"
    return [
        folder / f"{name}_{corner}.lib.gz"
        for corner in _CORNERS
        for name in ("sg13g2_stdcell", *(f"RM_IHPSG13_{macro}" for macro in _MACROS))
    ]


def missing_instances(netlist: Netlist, placement: str) -> list[str]:
    """Macros that the flow is told to place and the netlist does not have."""
    there = {
        f"{path}.{cell.name}"
        for path, module in netlist.instances()
        for cell in netlist.modules[module]
    }
    return [name for name in re.findall(r"\{(\S+?)\} -loc", placement) if name not in there]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", type=int, default=3, help="digits on the netlist")
    parser.add_argument("-o", "--output", type=Path, help="folder of the netlist; default: none")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.output or Path(temporary)
        return conclude(conditions(folder, arguments.digits))


def conditions(folder: Path, digits: int) -> list[Condition]:
    """Synthesise, simulate, compare."""
    started = time.monotonic()
    config = preset("tiny")
    corners = read_corners(IHP_SG13G2, liberty_files())
    print(asic_text(analyse(config, IHP_SG13G2, corners, folder)), flush=True)
    return compared(folder, corners[0], digits, time.monotonic() - started)


def compared(
    folder: Path, corner: CornerLibraries, digits: int, synthesis_seconds: float
) -> list[Condition]:
    """Digits on the netlist of a folder, beside the golden model and the emitted Verilog."""
    started = time.monotonic()
    config = preset("tiny")
    netlist = Netlist((folder / "netlist.v").read_text(), "rowforge")
    design = gate_design(netlist, IHP_SG13G2, corner.cells.library)
    target = library_target(gate_library(design))
    network = compile_model(digits_model(), config, keep_layers=True)
    assert network.kept is not None
    compiled = Compiled(network.kept, network.graph)
    images = held_out_digits().images[:digits]
    wanted = run_once(compiled, images, "rtl")
    result = run_once(compiled, images, target)
    absent = missing_instances(netlist, (folder / "macro_placement.tcl").read_text())
    said = "equal in every bit" if result.difference is None else str(result.difference)
    print(
        f"ihp-sg13g2: {result.inputs} digits, {result.layers_checked} layers, {said}; "
        f"{result.cycles} cycles for the first, on the emitted Verilog {wanted.cycles}; "
        f"synthesis {synthesis_seconds:.0f} s, simulation {time.monotonic() - started:.0f} s",
        flush=True,
    )
    return [
        (result.difference is None, f"ihp-sg13g2: {result.difference}"),
        (result.cycles == wanted.cycles, f"{result.cycles} cycles, not {wanted.cycles}"),
        (not absent, f"placed, but not in the netlist: {', '.join(absent)}"),
    ]


if __name__ == "__main__":
    sys.exit(main())
