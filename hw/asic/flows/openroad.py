"""Files for OpenROAD-flow-scripts: `config.mk`, `constraint.sdc`, `macro_placement.tcl`."""

from collections.abc import Sequence

from hw.asic.floorplan import DiePart, Floorplan
from hw.asic.process import Process
from hw.emit.kit import Design


def config_mk(design: Design, process: Process, plan: Floorplan, sources: Sequence[str]) -> str:
    """Variables of the flow; `make DESIGN_CONFIG=<this file> SRAM_DIR=<folder of the macros>`."""
    assert process.layout is not None and process.cells is not None
    layout, cells = process.layout, process.cells
    names = sorted({placed.macro.name for placed in plan.macros})
    here = "$(ROWFORGE_DIR)"
    lines = [
        f"# {design.name} for OpenROAD-flow-scripts. Place and route was not run by the generator.",
        "ROWFORGE_DIR := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))",
    ]
    if names:
        lines += [
            "ifndef SRAM_DIR",
            f"$(error SRAM_DIR must name the folder of the macros, {layout.macro_folder} of a PDK)",
            "endif",
        ]
    lines += [
        "",
        f"export DESIGN_NAME = {design.name}",
        f"export PLATFORM = {layout.openroad_platform}",
        _listed("VERILOG_FILES", [f"{here}{name}" for name in sources]),
        f"export SDC_FILE = {here}constraint.sdc",
        "",
        f"export DIE_AREA = {_corners(plan.die)}",
        f"export CORE_AREA = {_corners(plan.core)}",
        f"export MACRO_PLACEMENT_TCL = {here}macro_placement.tcl",
    ]
    if names:
        typical = next(iter(layout.liberty.values()))
        for variable, path in (
            ("ADDITIONAL_LEFS", layout.lef),
            ("ADDITIONAL_LIBS", typical),
            ("ADDITIONAL_GDS", layout.gds),
        ):
            lines.append(_listed(variable, [f"$(SRAM_DIR)/{path.format(name=n)}" for n in names]))
    lines += [
        "",
        "export INFER_CLKGATES = 1",
        f"export POS_CLKGATE_AND_PORTS = {cells.clock_gate.joined(' ', ':')}",
    ]
    return "\n".join(lines) + "\n"


def constraint_sdc(design: Design, io_fraction: float = 0.2) -> str:
    """The clock, which all ports are timed by; in the form whose period the flow reads itself."""
    period = f"{design.period_ns:.3f}"
    return "\n".join(
        [
            f"current_design {design.name}",
            "",
            f"set clk_period {period}",
            "create_clock -name clk -period $clk_period [get_ports clk]",
            "set non_clock_inputs [all_inputs -no_clocks]",
            f"set_input_delay [expr $clk_period * {io_fraction}] -clock clk $non_clock_inputs",
            f"set_output_delay [expr $clk_period * {io_fraction}] -clock clk [all_outputs]",
            "",
        ]
    )


def macro_placement_tcl(plan: Floorplan) -> str:
    """Commands that place the macros, and the PEs' regions as comments."""
    lines = ["# Buffer banks along the left side, other memories along the right side."]
    lines += [
        f"place_macro -macro_name {{{placed.path}}} "
        f"-location {{{placed.left:g} {placed.bottom:g}}} -orientation R0"
        for placed in plan.macros
    ]
    lines += ["", "# Hints: where the grid of PEs would lie, by instance and corners in um."]
    lines += [f"# region {path} {_corners(part)}" for path, part in plan.regions.items()]
    return "\n".join(lines) + "\n"


def _listed(variable: str, items: Sequence[str]) -> str:
    return f"export {variable} = " + " \\\n  ".join(items)


def _corners(part: DiePart) -> str:
    return f"{part.left:g} {part.bottom:g} {part.right:g} {part.top:g}"
