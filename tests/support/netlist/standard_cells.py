"""Verilog of the standard cells of an ASIC process, for simulators other than ours."""

import re
import tempfile
from pathlib import Path

from hw.arch.errors import RowforgeError
from hw.asic.process import Process
from hw.emit.yosys import run_yosys


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
