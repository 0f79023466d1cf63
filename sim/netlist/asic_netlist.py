"""What yosys makes of an accelerator for an ASIC process, as a library of the RTL simulator."""

import re
import tempfile
from pathlib import Path

from hw.arch.errors import RowforgeError
from hw.asic.process import Process
from hw.emit.yosys import run_yosys
from sim.verilator import Build, build_library

_FLAGS = ("--x-assign", "unique")  # an undefined bit of the netlist is a random one


def cell_models(process: Process, liberty: str) -> str:
    """Verilog of all standard cells by a liberty file's functions.

    The clock gate, of which a liberty file has no function that yosys reads, is ours: a latch that
    is open while the clock is low, and a gate.
    """
    if process.cells is None:
        raise RowforgeError(f"process {process.name} has no standard cells")
    with tempfile.TemporaryDirectory(prefix="rowforge-") as name:
        folder = Path(name)
        (folder / "cells.lib").write_text(liberty)
        script = "read_liberty -ignore_miss_func cells.lib; proc; write_verilog -noattr cells.v"
        run_yosys(script.replace("; ", "\n"), folder)
        text = (folder / "cells.v").read_text()
    gate = process.cells.clock_gate
    theirs = re.compile(rf"^module {gate.cell}\b.*?^endmodule\n", re.MULTILINE | re.DOTALL)
    enable, clock, output = gate.pins
    ours = (
        f"module {gate.cell}(input {clock}, input {enable}, output {output});\n"
        "  reg open;\n"
        f"  always @* if (!{clock}) open = {enable};\n"
        f"  assign {output} = {clock} & open;\n"
        "endmodule\n"
    )
    return theirs.sub("", text) + ours


def netlist_library(netlist: str, models: str, macros: str, top: str) -> Path:
    """The simulation library of a netlist, with Verilog of its cells and macros.

    PEs are translated once for all.
    """
    verilog = "\n".join([netlist, models, macros])
    blocks = (f"{top}_pe",) if f"module {top}_pe(" in netlist else ()
    return build_library(verilog, Build(top=top, optimise="-O0", flags=_FLAGS, blocks=blocks))
