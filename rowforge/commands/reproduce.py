"""Our figures beside the published ones of the Eyeriss chip, confirmed on the RTL if asked to."""

import argparse
import json
import sys
from typing import Any

from compiler.options import CompileOptions
from hw.arch.errors import RowforgeError
from rowforge import reproduction
from rowforge.chip import eyeriss_v2, study
from rowforge.chip import report as chip_report
from rowforge.configs import preset
from rowforge.options import (
    add_config,
    add_energy_options,
    add_objective,
    chosen_config,
    chosen_technology,
    required_config,
)
from rowforge.outputs import write_energy_files
from rowforge.reports.published import PUBLISHED

WRONG = 1
CHIP = "eyeriss_v1"
OURS, CHIPS = "ours", "chip"
ENERGY = "energy"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which table, for which configuration, how far."""
    batches = ", ".join(f"{name} at batch {table.batch}" for name, table in PUBLISHED.items())
    parser.add_argument(
        "network",
        metavar="|".join((*PUBLISHED, ENERGY, *eyeriss_v2.PUBLISHED_RATES)),
        help=f"CONV layers of a network: {batches}; or published figures of energy beside ours; or "
        "inferences a second of the chip's second version",
    )
    add_config(parser, required=False)
    add_objective(parser)
    parser.add_argument(
        "--schedule",
        choices=(OURS, CHIPS),
        default=OURS,
        help="chip: count what the chip's own mappings access, without a program, in place of our "
        f"schedule; for the configuration {CHIP} only (default: %(default)s)",
    )
    parser.add_argument(
        "--exact",
        action="store_true",
        help="cycles of the exact model, over a link of one word a cycle and over the slow one, in "
        "place of the mapper's estimate; a second for about a million cycles",
    )
    parser.add_argument(
        "--rtl",
        action="store_true",
        help="also run the layers on the RTL with random data, every output compared with the "
        "golden model (AlexNet whole, VGG-16 cropped to some rows and channels); exit status 1 if "
        "a bit differs or the model's cycles do",
    )
    parser.add_argument(
        "--layers", metavar="L,...", help="only these layers, by name or counted from 1"
    )
    add_energy_options(parser)
    parser.add_argument("--json", action="store_true", help="print the report as one object")


def run(args: argparse.Namespace) -> int:
    """Estimate, run, print."""
    if args.network == ENERGY:
        return _run_energy(args)
    if args.network in eyeriss_v2.PUBLISHED_RATES:
        return _run_eyeriss_v2(args)
    if args.schedule == CHIPS:
        return _run_chip(args)
    config = required_config(args)
    report = reproduction.reproduce(
        args.network,
        config,
        CompileOptions(objective=args.objective),
        layers=args.layers,
        exact=args.exact,
        rtl=args.rtl,
        prices=chosen_technology(args, config),
    )
    write_energy_files(args, config, report)
    _print(args, report, reproduction.text)
    wrong = reproduction.failures(report)
    if wrong:
        sys.stderr.write(f"rowforge: {'; '.join(wrong)}\n")
    return WRONG if wrong else 0


def _run_chip(args: argparse.Namespace) -> int:
    config = preset(CHIP)
    if (chosen_config(args) or config) != config:
        raise RowforgeError(f"--schedule chip counts the chip: leave out --config, or use {CHIP}")
    for name in ("exact", "rtl"):
        if getattr(args, name):
            raise RowforgeError(f"--schedule chip makes no program that --{name} could count")
    prices = chosen_technology(args, config)
    report = chip_report.chip_schedule(args.network, config, prices, layers=args.layers)
    write_energy_files(args, config, report)
    _print(args, report, chip_report.text)
    return 0


def _run_energy(args: argparse.Namespace) -> int:
    _refuse_options(args)
    if args.schedule == CHIPS:
        raise RowforgeError("reproduce energy has both schedules: leave out --schedule chip")
    options = CompileOptions(objective=args.objective)
    report = study.energy_study(required_config(args), options)
    print(json.dumps(report, indent=1) if args.json else study.text(report))
    return 0


def _run_eyeriss_v2(args: argparse.Namespace) -> int:
    _refuse_options(args)
    if args.schedule == CHIPS:
        raise RowforgeError(f"--schedule chip is for {', '.join(PUBLISHED)}, not {args.network}")
    options = CompileOptions(objective=args.objective)
    report = eyeriss_v2.eyeriss_v2_study(args.network, required_config(args), options)
    print(json.dumps(report, indent=1) if args.json else eyeriss_v2.text(report))
    return 0


def _refuse_options(args: argparse.Namespace) -> None:
    """What only the tables of CONV layers take."""
    for name in ("layers", "exact", "rtl", "technology", "export_accesses", "picture", "roofline"):
        if getattr(args, name):
            option = f"--{name.replace('_', '-')}"
            raise RowforgeError(
                f"reproduce {args.network} has figures of its own and takes no {option}"
            )


def _print(args: argparse.Namespace, report: dict[str, Any], text: Any) -> None:
    layer_energy = args.technology is not None
    print(json.dumps(report, indent=1) if args.json else text(report, layer_energy=layer_energy))
