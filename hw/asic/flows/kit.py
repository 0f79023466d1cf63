"""The files that a process adds to a design."""

from collections.abc import Mapping
from functools import partial

from hw.asic.floorplan import floorplan
from hw.asic.flows.librelane import config_yaml, stub_file
from hw.asic.flows.openroad import config_mk, constraint_sdc, macro_placement_tcl
from hw.asic.hierarchy import DesignHierarchy
from hw.asic.macros.composition import Composition, compose
from hw.asic.macros.exact import exact_model, exact_stub
from hw.asic.macros.wrapper import wrapper
from hw.asic.process import Process
from hw.emit.kit import Design, Kit, KitMaker


def kit_maker(process: Process) -> KitMaker:
    """Makes the kit of a process for any design."""
    return partial(_kit, process)


def _kit(process: Process, design: Design) -> Kit:
    if not process.macros:
        return _exact_kit(design)
    compositions = {
        module_of(design, geometry.name): compose(geometry, process.macros, process.name)
        for geometry in design.geometries
    }
    macros = {c.macro.name: c.macro for c in compositions.values()}
    name = design.name
    wrappers = "\n".join(wrapper(c, module) for module, c in compositions.items())
    models = "\n".join(macros[macro].model() for macro in sorted(macros))
    stubs = {stub_file(name, macro): macros[macro].stub() for macro in sorted(macros)}
    head = f"// Memories of {name}"
    return Kit(
        models={
            f"{name}_memories.v": f"{head}, composed of macros of {process.name}.\n\n{wrappers}",
            f"{name}_macros.v": f"{head}: models of the macros, for simulation.\n\n{models}",
        },
        stubs=stubs,
        files=_flow_files(design, process, compositions),
    )


def module_of(design: Design, memory: str) -> str:
    """The module that stands for a memory; see `hw.base.block.ModulePlatform.macro`."""
    return f"{design.name}_macro_{memory}"


def _exact_kit(design: Design) -> Kit:
    """For a process of which nothing is known: every size of memory is somebody's macro."""
    memories = [(geometry, module_of(design, geometry.name)) for geometry in design.geometries]
    models = "\n".join(exact_model(*memory) for memory in memories)
    stubs = "\n".join(exact_stub(*memory) for memory in memories)
    head = f"// Memories of {design.name}, to be replaced by modules around macros"
    return Kit(
        models={f"{design.name}_macros.v": f"{head}: models for simulation.\n\n{models}"},
        stubs={f"{design.name}_stubs.v": f"{head}: empty modules, for synthesis.\n\n{stubs}"},
    )


def _flow_files(
    design: Design, process: Process, compositions: Mapping[str, Composition]
) -> dict[str, str]:
    """Files for OpenROAD-flow-scripts and LibreLane."""
    if process.layout is None:
        return {}
    hierarchy = DesignHierarchy(design.verilog, design.name)
    plan = floorplan(hierarchy, compositions, process.layout)
    sources = [f"{design.name}_memories.v", *design.foreign, f"{design.name}.v"]
    return {
        "config.mk": config_mk(design, process, plan, sources),
        "constraint.sdc": constraint_sdc(design),
        "macro_placement.tcl": macro_placement_tcl(plan),
        "config.yaml": config_yaml(design, process, plan, sources),
    }
