"""What lies in the folder of a design, and how it gets there."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hw.arch.errors import RowforgeError
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


def write_files(out_dir: Path, files: Mapping[str, str]) -> list[Path]:
    """Write files whole: first all beside their place, then each moved there."""
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out_dir, prefix=".writing-") as staging:
            for name, text in files.items():
                (Path(staging) / name).write_text(text, encoding="utf-8", newline="\n")
            for name in files:
                os.replace(Path(staging) / name, out_dir / name)
    except OSError as error:
        raise RowforgeError(
            f"output folder must be writable, not {str(out_dir)!r}: {error.strerror}"
        ) from error
    return [out_dir / name for name in sorted(files)]
