"""`config.yaml` for LibreLane: also read by version 2 of its form, `meta.version: 2`."""

from collections.abc import Sequence

from hw.asic.floorplan import DiePart, Floorplan, PlacedMacro
from hw.asic.process import LayoutFacts, Process
from hw.emit.kit import Design


def stub_file(design: str, macro: str) -> str:
    """Name of the file with a macro's empty module: the flow wants one for each macro."""
    return f"{design}_stub_{macro}.v"


def config_yaml(design: Design, process: Process, plan: Floorplan, sources: Sequence[str]) -> str:
    """Variables of the flow `Classic`; `librelane config.yaml` with the PDK installed."""
    assert process.layout is not None and process.cells is not None
    layout = process.layout
    lines = [
        f"# {design.name} for LibreLane. Place and route was not run by the generator.",
        "meta:",
        "  version: 2",
        "  flow: Classic",
        f"PDK: {layout.librelane_pdk}",
        f"DESIGN_NAME: {design.name}",
        "CLOCK_PORT: clk",
        f"CLOCK_PERIOD: {design.period_ns:g}",
        "VERILOG_FILES:",
        *(f"  - dir::{name}" for name in sources),
        "PNR_SDC_FILE: dir::constraint.sdc",
        "SIGNOFF_SDC_FILE: dir::constraint.sdc",
        "FP_SIZING: absolute",
        f"DIE_AREA: {_corners(plan.die)}",
        f"CORE_AREA: {_corners(plan.core)}",
        f"SYNTH_CLOCKGATE_POSEDGE_ICG: {process.cells.clock_gate.joined('/')}",
        "SYNTH_CLOCKGATE_MIN_WIDTH: 4",
    ]
    if plan.macros:
        lines.append("MACROS:")
    for name in sorted({placed.macro.name for placed in plan.macros}):
        lines.append(f"  {name}:")
        lines.append(f"    vh: [dir::{stub_file(design.name, name)}]")
        lines += _macro(name, layout, [p for p in plan.macros if p.macro.name == name])
    return "\n".join(lines) + "\n"


def _macro(name: str, layout: LayoutFacts, placed: Sequence[PlacedMacro]) -> list[str]:
    """A macro's files, and where its instances lie."""

    def path(pattern: str) -> str:
        return f"pdk_dir::{layout.macro_folder}/{pattern.format(name=name)}"

    lines = [f"    gds: [{path(layout.gds)}]", f"    lef: [{path(layout.lef)}]"]
    lines.append("    lib:")
    lines += [f'      "{corner}": [{path(file)}]' for corner, file in layout.liberty.items()]
    lines.append("    instances:")
    for item in placed:
        lines.append(f"      {item.path}:")
        lines.append(f"        location: [{item.left:g}, {item.bottom:g}]")
        lines.append("        orientation: N")
    return lines


def _corners(part: DiePart) -> str:
    return f"[{part.left:g}, {part.bottom:g}, {part.right:g}, {part.top:g}]"
