"""Read handwritten digits on generated Verilog, end to end."""

import argparse
import sys
from pathlib import Path

from rowforge.demonstration import WrongResultError, demonstrate
from rowforge.reports.report import table
from rowforge.running.progress import Progress

WRONG = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to leave the results."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("rowforge-demo"),
        metavar="DIR",
        help="folder for the Verilog and the picture (default: rowforge-demo)",
    )


def run(args: argparse.Namespace) -> int:
    """Demonstrate; status 1 if the RTL is wrong."""
    try:
        found = demonstrate(args.output, _say)
    except WrongResultError as error:
        sys.stderr.write(f"rowforge: {error}\n")
        return WRONG
    print(f"\nOne digit on the RTL, layer by layer:\n\n{table(found.report)}\n")
    print(
        f"{found.right} of {found.digits} digits right on the golden model; "
        f"{found.checked} of {found.checked} equal on the RTL in every layer."
    )
    print(f"Verilog: {args.output / 'verilog' / 'rowforge.v'}")
    print(f"Picture: {args.output / 'digits.svg'}")
    return 0


def _say(message: str) -> None:
    Progress().clear()
    print(message, flush=True)
