"""yosys makes a netlist of standard cells, with gated clocks if the process has a cell for it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.arch.errors import RowforgeError
from hw.asic.netlist.netlist import Netlist
from hw.asic.process import Process
from hw.emit.yosys import run_yosys

SMALLEST_GATED = 4
"""Flip-flops that a clock gate pays for."""

_OUTPUT_LOAD = 60.0  # fF at each output; what it really drives is not known yet


@dataclass(frozen=True)
class Synthesis:
    """A netlist and what became of its flip-flops.

    Attributes
    ----------
    netlist : hierarchical, as the design
    gated : flip-flops that got a gated clock, each module counted once
    """

    netlist: Netlist
    gated: int


def synthesis_script(
    process: Process, top: str, sources: Sequence[str], *, period_ns: float, clock_gating: bool
) -> str:
    """What yosys is told: Verilog from the folder, `cells.lib`, and `netlist.v` as its result.

    Before clocks are gated, resets and enables become logic, in which yosys then finds enables that
    a reset sets, too: one that a reset overrides would stop no clock.
    """
    assert process.cells is not None
    cells = process.cells
    gating = (
        f"clockgate -pos {cells.clock_gate.joined(' ', ':')} -min_net_size {SMALLEST_GATED}"
        if clock_gating
        else ""
    )
    return f"""
        read_verilog {" ".join(sources)}
        hierarchy -check -top {top}
        synth -top {top} -noabc
        check -assert
        dfflegalize -cell $_DFF_P_ 01
        opt_dff -nosdff
        dfflegalize -cell $_DFFE_PP_ 01 -cell $_DFF_P_ 01
        opt -nodffe -nosdff
        {gating}
        dfflegalize -cell $_DFF_P_ 01
        opt -nodffe -nosdff
        dfflibmap -liberty cells.lib
        abc -liberty cells.lib -constr cells.constr -D {period_ns * 1000:.0f}
        hilomap -singleton -hicell {cells.high.joined(" ")} -locell {cells.low.joined(" ")}
        delete t:$scopeinfo
        opt_clean
        write_verilog -noattr -noexpr -nohex -simple-lhs netlist.v
    """


def synthesise(
    folder: Path,
    process: Process,
    top: str,
    sources: Sequence[str],
    liberty: str,
    *,
    period_ns: float,
    clock_gating: bool = True,
) -> Synthesis:
    """Synthesise the Verilog in a folder.

    Parameters
    ----------
    folder : Path
        With the sources, relative to it; gets yosys' files.
    process : Process
        One whose cells are known.
    top : str
        Name of the top module.
    sources : sequence of str
        Verilog files, empty modules of macros among them.
    liberty : str
        Text of the liberty file of standard cells.
    period_ns : float
        What the logic is optimised for.
    clock_gating : bool
        Whether registers that hold get a gated clock.

    Raises `RowforgeError` for a process without cells, if yosys fails, or if no clock was gated.
    """
    if process.cells is None:
        raise RowforgeError(f"process {process.name} has no standard cells to synthesise for")
    (folder / "cells.lib").write_text(liberty)
    (folder / "cells.constr").write_text(
        f"set_driving_cell {process.cells.buffer.cell}\nset_load {_OUTPUT_LOAD} [all_outputs]\n"
    )
    script = synthesis_script(process, top, sources, period_ns=period_ns, clock_gating=clock_gating)
    log = run_yosys(script, folder)
    found = re.search(r"^Converted (\d+) FFs\.$", log, re.MULTILINE)
    gated = int(found[1]) if found else 0
    if clock_gating and gated == 0:
        raise RowforgeError(
            f"no flip-flop got a gated clock by {process.cells.clock_gate.cell}: "
            "the design has no register that holds, or yosys is too old (0.45 or later helps)"
        )
    return Synthesis(Netlist((folder / "netlist.v").read_text(), top), gated)
