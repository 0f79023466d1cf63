"""Prove properties of a configuration's gateware, block by block, for every input.

A property holds always, by induction, or within a number of cycles that is told. Needs the packages
of `rowforge[prove]`.
"""

import argparse
from pathlib import Path

from hw.arch.errors import RowforgeError
from hw.properties.catalogue import NUMBERS
from rowforge.options import add_config, required_config
from rowforge.proving.campaign import designs, prove_all
from rowforge.proving.report import failures, proof_table, write_report
from rowforge.proving.solver import check_tools
from rowforge.running.progress import Progress

WRONG = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Configuration, properties, limits, where counterexamples go."""
    add_config(parser)
    parser.add_argument(
        "--property",
        type=int,
        choices=NUMBERS,
        metavar="N",
        help=f"one property by its number in docs/proofs.md, {NUMBERS[0]} to {NUMBERS[-1]}; "
        "default: all",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=300,
        metavar="S",
        help="limit for each block; what is not decided then counts as undecided (default: 300)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("rowforge-proofs"),
        metavar="DIR",
        help="folder of counterexamples as VCD waves (default: rowforge-proofs)",
    )
    parser.add_argument("--json", type=Path, metavar="F", help="write the results as JSON, too")


def run(args: argparse.Namespace) -> int:
    """Prove and report; status 1 if a property fails or is not decided."""
    if args.seconds <= 0:
        raise RowforgeError(f"--seconds must be positive, not {args.seconds}")
    config = required_config(args)
    check_tools()
    progress = Progress()
    proven = list(
        prove_all(
            designs([config]),
            number=args.property,
            seconds=args.seconds,
            folder=args.output,
            progress=progress.show,
        )
    )
    progress.clear()
    print(proof_table(proven))
    for sentence in failures(proven):
        print(sentence)
    if args.json is not None:
        write_report(args.json, proven)
    return WRONG if any(not one.proof.holds for one in proven) else 0
