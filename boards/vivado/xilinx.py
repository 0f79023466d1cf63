"""For a Zynq: Verilog of the AXI wrapper, a part for Vivado and a script that builds with it.

For every xc7: resources and logic depth by yosys. What needs Vivado is left to its scripts.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from amaranth.lib.wiring import In

from boards.families.family import Progress
from boards.vivado.ipxact import LIBRARY, VENDOR, Port, component_xml
from boards.vivado.vivado import block_design
from boards.vivado.xc7_netlist import count_cells, logic_depth, module_below, resources
from hw.arch.config import Config
from hw.arch.files import write_files
from hw.arch.version import version_text
from hw.base.block import signature_ports
from hw.emit.prefix import PREFIX
from hw.emit.verilog import emit
from hw.emit.yosys import run_yosys
from hw.top.axi import AxiAccelerator

_ARRAY = "pe_array"

_IP = "ip"


def write_part(
    config: Config, out_dir: Path, *, part: str, clock_hz: float, prefix: str = PREFIX
) -> list[Path]:
    """Write the packed part (`ip/`) and `vivado.tcl`, which makes the bitstream with Vivado.

    The part and its top module are called `prefix`, with which the names of other modules begin.

    Returns the files. Raises `RowforgeError` if the folder cannot be written.
    """
    top = AxiAccelerator(config)
    ports = {name: Port(len(s), flow is In) for name, s, flow in signature_ports(top)}
    version = version_text()
    source = f"src/{prefix}.v"
    vlnv = f"{VENDOR}:{LIBRARY}:{prefix}:{'.'.join(version.split('.')[:2])}"
    files = {
        f"{_IP}/{source}": emit(top, prefix),
        f"{_IP}/component.xml": component_xml(prefix, version, ports, [source], clock_hz),
        "vivado.tcl": block_design(part=part, vlnv=vlnv, clock_hz=clock_hz),
    }
    return write_files(out_dir, files)


def measure(verilog: Path, work: Path, *, top: str, progress: Progress) -> dict[str, Any]:
    """Resources and logic depth of a design on xc7 by yosys' `synth_xilinx`.

    Each module is synthesised apart, so that equal PEs are done once; a synthesis across their
    borders needs less. Returns what JSON holds: `whole` and `array` resources, `depth`, `cells`.
    """
    work.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(verilog, work / "design.v")
    progress("yosys: synth_xilinx")
    run_yosys(
        f"""
        read_verilog design.v
        synth_xilinx -family xc7 -top {top} -noiopad -noclkbuf
        check -assert
        write_json modules.json
        flatten
        write_json flat.json
        """,
        work,
    )
    progress("")
    return read_netlist(work, top)


def read_netlist(work: Path, top: str) -> dict[str, Any]:
    """The figures of the netlists that `measure` has left in a folder."""
    modules = json.loads((work / "modules.json").read_text("utf-8"))["modules"]
    flat = json.loads((work / "flat.json").read_text("utf-8"))["modules"][top]["cells"]
    cells = count_cells(modules, top)
    array = count_cells(modules, module_below(modules, f"{top}_{_ARRAY}"))
    return {
        "whole": resources(cells).as_dict(),
        "array": resources(array).as_dict(),
        "depth": logic_depth(flat).as_dict(),
        "cells": dict(sorted(cells.items())),
    }
