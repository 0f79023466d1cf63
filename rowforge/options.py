"""Options that several commands share."""

import argparse
import warnings
from pathlib import Path

from compiler.options import DEFAULTS, ROUNDINGS, CompileOptions
from compiler.schedule.goal import OBJECTIVES
from hw.arch.config import Config
from hw.arch.energy import (
    DEFAULT_TECHNOLOGY,
    Technology,
    read_technology,
    technology,
    technology_names,
)
from hw.arch.errors import RowforgeError
from hw.emit.prefix import PREFIX, check_prefix
from rowforge.configs import load_config, preset, preset_names
from rowforge.outputs import check_energy_files


def add_config(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """`--preset P` or `--config F.toml`."""
    group = parser.add_mutually_exclusive_group(required=required)
    group.add_argument(
        "--preset", metavar="P", help=f"a configuration by name: {', '.join(preset_names())}"
    )
    group.add_argument("--config", type=Path, metavar="F.toml", help="a configuration from a file")


def chosen_config(args: argparse.Namespace) -> Config | None:
    """The configuration that the options name, None if they name none."""
    if args.preset is not None:
        return preset(args.preset)
    return load_config(args.config) if args.config is not None else None


def required_config(args: argparse.Namespace) -> Config:
    """The configuration that the options name; `RowforgeError` if they name none."""
    config = chosen_config(args)
    if config is None:
        raise RowforgeError("a model needs a configuration: give --preset P or --config F.toml")
    return config


def add_objective(parser: argparse.ArgumentParser) -> None:
    """`--objective`, of everything that chooses mappings."""
    parser.add_argument(
        "--objective",
        choices=OBJECTIVES,
        default=DEFAULTS.objective,
        help="what schedules and mappings minimise: cycles over a link of link.rate, words moved, "
        "energy, or its product with cycles (default: %(default)s)",
    )


def add_energy_options(parser: argparse.ArgumentParser) -> None:
    """`--technology` and files about energy, of everything that reports it."""
    parser.add_argument(
        "--technology",
        metavar="NAME|F.toml",
        help="prices of accesses: a table by name or from a file, whose energy is also shown layer "
        f"by layer: {', '.join(technology_names())} (default: {DEFAULT_TECHNOLOGY})",
    )
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="F.svg",
        help="draw the energy of levels and layers as stacked bars",
    )
    parser.add_argument(
        "--roofline",
        type=Path,
        metavar="F.svg",
        help="draw MACs a cycle over MACs a link byte, layer by layer, under the roofs of "
        "multipliers and link",
    )
    parser.add_argument(
        "--export-accesses",
        type=Path,
        metavar="FILE",
        help="write the counts of accesses: .yaml as Accelergy's action counts, .json by layer as "
        "ZigZag's word accesses",
    )


def chosen_technology(args: argparse.Namespace, config: Config | None = None) -> Technology:
    """The table that the options name; `RowforgeError` if there is none or it is wrong.

    Warns, if a configuration is given, of a table that was made for other sizes.

    Also refuses, before anything runs, names of files that do not say what they hold.
    """
    check_energy_files(args)
    return named_technology(args.technology, config)


def named_technology(name: str | None, config: Config | None = None) -> Technology:
    """A table by its name or from a `.toml` file; the normalised one if there is no name.

    Warns, if a configuration is given, of a table that was made for other sizes.
    """
    if name is None:
        return technology()
    table = read_technology(Path(name)) if name.endswith(".toml") else technology(name)
    if config is not None:
        warn_of_sizes(table, config)
    return table


def warn_of_sizes(table: Technology, config: Config) -> None:
    """Warn if a table was made for other sizes than those of a configuration, which it names."""
    if said := table.other_sizes(config):
        warnings.warn(said, stacklevel=2)


def add_prefix(parser: argparse.ArgumentParser) -> None:
    """`--prefix NAME`."""
    parser.add_argument(
        "--prefix",
        default=PREFIX,
        metavar="NAME",
        help="name of the top module, with which the names of all other modules, of files and of "
        f"C macros begin (default: {PREFIX}); two designs of different prefixes fit in one",
    )


def chosen_prefix(args: argparse.Namespace) -> str:
    """What `add_prefix` has added; `RowforgeError` for what no name can begin with."""
    check_prefix(args.prefix)
    return str(args.prefix)


def add_removal(parser: argparse.ArgumentParser) -> None:
    """`--keep-constant-channels`, of everything that compiles or estimates a model."""
    parser.add_argument(
        "--keep-constant-channels",
        action="store_true",
        help="compute channels that are constant or that no filter reads, too; by default they are "
        "removed, and the host puts them back where someone looks at them",
    )


def add_compile(parser: argparse.ArgumentParser) -> None:
    """How a model is compiled."""
    parser.add_argument(
        "--rounding",
        choices=ROUNDINGS,
        help="how accumulators are rounded; default: as the model's framework does",
    )
    add_objective(parser)
    parser.add_argument(
        "--zeros",
        type=float,
        default=DEFAULTS.zeros,
        metavar="SHARE",
        help="share of zeros expected in activations: with link.coding, schedules count what is "
        "loaded as long as its code (default: %(default)s)",
    )
    parser.add_argument(
        "--wrap", action="store_true", help="psums may wrap: the overflow proof is not wanted"
    )
    parser.add_argument(
        "--no-host", action="store_true", help="refuse a model that needs the host for an operator"
    )
    parser.add_argument(
        "--allow-host-mac",
        action="store_true",
        help="a convolution that the array cannot compute may run on the host",
    )
    add_removal(parser)


def compile_options(args: argparse.Namespace) -> CompileOptions:
    """The options that `add_compile` has added."""
    return CompileOptions(
        rounding=args.rounding,
        objective=args.objective,
        zeros=args.zeros,
        wrap=args.wrap,
        no_host=args.no_host,
        allow_host_mac=args.allow_host_mac,
        keep_constant_channels=args.keep_constant_channels,
    )
