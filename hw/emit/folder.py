"""What lies in the folder of a design beside its Verilog."""

from hw.emit import companions
from hw.emit.kit import Design, Kit


def companion_files(design: Design, kit: Kit, version: str) -> dict[str, str]:
    """The files beside the Verilog, those of the kit among them."""
    name, models = design.name, [*kit.models]
    sources = [*design.foreign, f"{name}.v"]
    return {
        **kit.models,
        **kit.stubs,
        **kit.files,
        f"{name}.f": companions.file_list([*models, *sources]),
        f"{name}.core": companions.fusesoc_core(name, version, sources, models),
        f"{name}.sdc": companions.timing_constraints(
            design.inputs, design.outputs, period_ns=design.period_ns
        ),
        f"{name}.vlt": companions.lint_waivers(
            [*models, f"{name}.v"], design.foreign, stubs=[*kit.stubs]
        ),
    }
