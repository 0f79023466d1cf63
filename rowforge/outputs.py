"""Files about energy that several commands write beside what they print."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.energy.export import check_export, export_accesses
from rowforge.reports.roofline import roofline
from rowforge.reports.stacked_bars import energy_bars

_PICTURES = ("picture", "roofline")


def check_energy_files(args: argparse.Namespace) -> None:
    """Refuse, before anything runs, names of files that do not say what they hold."""
    if args.export_accesses is not None:
        check_export(args.export_accesses)
    for name in _PICTURES:
        path = getattr(args, name)
        if path is not None and path.suffix != ".svg":
            raise RowforgeError(f"--{name} must name a file that ends in .svg, not {path.name!r}")


def write_energy_files(
    args: argparse.Namespace, config: Config, document: Mapping[str, Any]
) -> None:
    """Write what `rowforge.options.add_energy_options` asks for, from a report with energy.

    Raises `RowforgeError` if a file cannot be written, or the report has nothing to draw.
    """
    if args.export_accesses is not None:
        export_accesses(args.export_accesses, config, document)
    if args.picture is not None:
        _write(args.picture, energy_bars(document))
    if args.roofline is not None:
        _write(args.roofline, roofline(config, document))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RowforgeError(f"cannot write {path}: {error}") from None
