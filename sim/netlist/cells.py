"""Simulation models of the ECP5's cells: yosys' own, and ours where yosys has only a black box."""

import re
from importlib import resources

from hw.arch.errors import RowforgeError
from hw.emit.yosys import yosys_share

OURS = ("DP16KD", "MULT18X18D")

# LUT2 is a part of CCU2C
YOSYS = ("LUT4", "LUT2", "CCU2C", "PFUMX", "L6MUX21", "TRELLIS_FF", "TRELLIS_DPR16X4")

_FOLDERS = ("ecp5", "lattice")  # newer and older releases differ in where they keep the cells
_SPECIFY = re.compile(r"^\s*specify\b.*?^\s*endspecify$", re.MULTILINE | re.DOTALL)  # delays
_MODULE = r"^module {name}\b.*?^endmodule$"


def model(name: str) -> str:
    """Verilog of our model of a primitive: one of `OURS`, or LUT4."""
    return (resources.files("sim.netlist") / "ecp5" / f"{name}.v").read_text(encoding="utf-8")


def cell_models(*, four_states: bool = False) -> str:
    """Verilog of all cells that a synthesised design may hold.

    Parameters
    ----------
    four_states : bool
        For a simulator that knows unknown bits: yosys' LUT4, whose output is known where the
        unknown inputs do not matter. Otherwise ours, a table, which Verilator turns into a fraction
        of the code.

    Raises `RowforgeError` if yosys' data lack the model of a cell.
    """
    text = _yosys_models()
    theirs = [name for name in YOSYS if four_states or name != "LUT4"]
    ours = OURS if four_states else (*OURS, "LUT4")
    return "\n".join([*(_module(text, name) for name in theirs), *(model(name) for name in ours)])


def _yosys_models() -> str:
    """All of yosys' ECP5 models, one text."""
    files = [
        path for folder in _FOLDERS for path in sorted((yosys_share() / folder).glob("*sim.v*"))
    ]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def yosys_model(name: str) -> str:
    """Verilog of yosys' model of a cell, without its delays."""
    return _module(_yosys_models(), name)


def _module(text: str, name: str) -> str:
    found = re.search(_MODULE.format(name=name), text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise RowforgeError(
            f"yosys has no simulation model of the cell {name} in {yosys_share()}; "
            "another release of yosys helps"
        )
    return _SPECIFY.sub("", found[0])
