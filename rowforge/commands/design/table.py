"""Tabulate cycles, energy and link bytes of layer shapes on a configuration."""

import argparse
import json
import sys
from pathlib import Path

from compiler.options import CompileOptions
from hw.arch.errors import RowforgeError
from rowforge.configs import named_config
from rowforge.options import add_objective, named_technology
from rowforge.shapes.over import shapes_over, sizes_over
from rowforge.shapes.shape import LayerKind, Padding
from rowforge.shapes.table import shape_table
from sim.cycles.predict import UNMODELLED
from sw_driver.arrays import check_writable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A configuration, a kind of layer, ranges of its sizes."""
    parser.add_argument("configuration", metavar="CFG", help="a preset by name or a .toml file")
    parser.add_argument(
        "--layer", choices=[str(kind) for kind in LayerKind], required=True, help="what it computes"
    )
    parser.add_argument(
        "--over",
        required=True,
        metavar="SIZE=VALUES,…",
        help="values of channels, filters, height, width, kernel and stride: a number, "
        "first:last:step with the last included, or several joined by +, as in "
        "channels=16:64:16,filters=32,height=14,kernel=1+3",
    )
    parser.add_argument(
        "--padding",
        choices=[str(padding) for padding in Padding],
        default=str(Padding.SAME),
        help="how windows meet the border (default: %(default)s)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="T.csv|T.json",
        help="where the table goes; without it, CSV is printed",
    )
    parser.add_argument(
        "--technology", metavar="NAME|F.toml", help="prices of accesses, as of estimate"
    )
    add_objective(parser)


def run(args: argparse.Namespace) -> int:
    """Estimate every shape, write."""
    output: Path | None = args.output
    if output is not None:
        if output.suffix not in (".csv", ".json"):
            raise RowforgeError(f"a table's name must end in .csv or .json, not {output.name!r}")
        check_writable(output)
    config = named_config(args.configuration)
    if config.control.microcontroller:
        raise RowforgeError(UNMODELLED)
    shapes = shapes_over(LayerKind(args.layer), sizes_over(args.over), Padding(args.padding))
    options = CompileOptions(objective=args.objective)
    table = shape_table(shapes, config, options, named_technology(args.technology, config))
    as_json = output is not None and output.suffix == ".json"
    text = f"{json.dumps(table.as_dict(), indent=1)}\n" if as_json else table.as_csv()
    if output is None:
        print(text, end="")
    else:
        _write(output, text)
        print(f"{output}: {len(table.rows):,} shapes, energy in {table.unit} ({table.technology})")
    if table.refusals:
        name, reason = next(iter(table.refusals.items()))
        sys.stderr.write(
            f"rowforge: {len(table.refusals):,} of {len(table.rows):,} shapes cannot be computed "
            f"and have no figures; {name}: {reason}\n"
        )
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise RowforgeError(f"cannot write {path}: {error.strerror or error}") from None
