"""Our figures beside the published ones of the Eyeriss chip, confirmed on the RTL if asked to."""

import argparse
import json
import sys

from compiler.options import CompileOptions
from rowforge.options import add_config, add_objective, required_config
from rowforge.reports.published import PUBLISHED
from rowforge.reproduction import failures, reproduce, text

WRONG = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which table, for which configuration, how far."""
    batches = ", ".join(f"{name} at batch {table.batch}" for name, table in PUBLISHED.items())
    parser.add_argument(
        "network", metavar="|".join(PUBLISHED), help=f"CONV layers of a network: {batches}"
    )
    add_config(parser)
    add_objective(parser)
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
    parser.add_argument("--json", action="store_true", help="print the report as one object")


def run(args: argparse.Namespace) -> int:
    """Estimate, run, print."""
    options = CompileOptions(objective=args.objective)
    report = reproduce(
        args.network,
        required_config(args),
        options,
        layers=args.layers,
        exact=args.exact,
        rtl=args.rtl,
    )
    print(json.dumps(report, indent=1) if args.json else text(report))
    wrong = failures(report)
    if wrong:
        sys.stderr.write(f"rowforge: {'; '.join(wrong)}\n")
    return WRONG if wrong else 0
