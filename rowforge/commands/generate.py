"""Write the Verilog of a configuration and its companions."""

import argparse
from pathlib import Path

from hw.arch.errors import RowforgeError
from hw.asic.process import PROCESSES
from rowforge.generation import generate
from rowforge.options import add_config, add_prefix, chosen_prefix, required_config
from rowforge.running.progress import Progress
from sw_driver.arrays import check_folder

_PERIODS = (0.1, 1000.0)  # ns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Configuration, folder, how the Verilog is written."""
    add_config(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder, made if absent"
    )
    parser.add_argument(
        "--reset-all",
        action="store_true",
        help="reset every register and rely on no initial value: for ASIC",
    )
    parser.add_argument(
        "--memories",
        choices=("infer", "blackbox"),
        help="memories that tools infer (default), or macros to be replaced; not with --process",
    )
    parser.add_argument(
        "--process",
        choices=tuple(PROCESSES),
        help="an ASIC process: implies --reset-all, makes memories of more than 64 words of its "
        "macros, and writes files for OpenROAD-flow-scripts and LibreLane; generic: memories are "
        "black boxes of any size",
    )
    add_prefix(parser)
    parser.add_argument(
        "--period", type=float, default=10.0, metavar="NS", help="clock period (default: 10 ns)"
    )


def run(args: argparse.Namespace) -> int:
    """Generate and name the files."""
    low, high = _PERIODS
    if not low <= args.period <= high:
        raise RowforgeError(f"--period must be {low} to {high} ns, not {args.period}")
    prefix = chosen_prefix(args)
    config = required_config(args)
    check_folder(args.output)
    progress = Progress()
    progress.show(f"elaborating {config.array.rows} × {config.array.cols} PEs")
    files = generate(
        config,
        args.output,
        reset_all=args.reset_all,
        memories=args.memories,
        process=args.process,
        period_ns=args.period,
        prefix=prefix,
    )
    progress.clear()
    width = max(len(str(path)) for path in files)
    for path in files:
        print(f"{str(path).ljust(width)}  {path.stat().st_size:>9,} bytes")
    return 0
