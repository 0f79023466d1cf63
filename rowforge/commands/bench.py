"""Run the cocotb benches on a configuration, block by block.

Layers of the whole accelerator are compared with NumPy. Needs the packages of `rowforge[bench]`.
"""

import argparse
from pathlib import Path

from hw.arch.errors import RowforgeError
from rowforge.benching import (
    BLOCKS,
    MOST_STALLS,
    RESULTS,
    SIMULATORS,
    BenchOutcome,
    check_tools,
    chosen_blocks,
    run_benches,
)
from rowforge.covering.merged import MergedCoverage
from rowforge.covering.report import CoverageReport
from rowforge.options import add_config, required_config
from rowforge.reports.texttable import Column, text_table
from rowforge.running.progress import Progress
from sw_driver.arrays import check_folder

WRONG = 1
_COLUMNS = (
    Column("block", "block", left=True),
    Column("case", "case", left=True),
    Column("seed", "seed"),
    Column("tests", "tests"),
    Column("cycles", "cycles"),
    Column("seconds", "seconds", ".1f"),
    Column("result", "result", left=True),
)
_PERIOD_NS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Configuration, blocks, simulator, randomness, where results go."""
    add_config(parser)
    parser.add_argument("--block", choices=BLOCKS, help="one block; default: all")
    parser.add_argument(
        "--sim",
        choices=SIMULATORS,
        help="icarus starts at once (default); verilator builds for longer, runs faster, and is "
        "what --coverage needs and chooses",
    )
    parser.add_argument(
        "--waves",
        nargs="?",
        choices=("vcd", "fst"),
        const="vcd",
        default="",
        help="write waves, VCD unless told, each with a layout for GTKWave",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of all that is random")
    parser.add_argument(
        "--stalls",
        type=float,
        metavar="P",
        help=f"share of the cycles in which streams wait, 0 to {MOST_STALLS}; default: mixed",
    )
    parser.add_argument(
        "--runs", type=int, default=1, metavar="N", help="how often, each time with the next seed"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("rowforge-bench"),
        metavar="DIR",
        help="folder of results, logs and waves (default: rowforge-bench)",
    )
    parser.add_argument(
        "--coverage",
        action="store_true",
        help="count lines, branches and toggled bits of the Verilog that were reached: "
        "coverage.txt, coverage.json and coverage.info (LCOV) in the folder",
    )


def run(args: argparse.Namespace) -> int:
    """Run and report; status 1 if a bench fails."""
    simulator = args.sim or ("verilator" if args.coverage else "icarus")
    if args.coverage and simulator != "verilator":
        raise RowforgeError(f"--coverage needs --sim verilator, not {simulator}")
    if args.stalls is not None and not 0 <= args.stalls <= MOST_STALLS:
        raise RowforgeError(f"--stalls must be 0 to {MOST_STALLS}, not {args.stalls}")
    if args.runs < 1:
        raise RowforgeError(f"--runs must be at least 1, not {args.runs}")
    config = required_config(args)
    blocks = chosen_blocks(config, args.block)
    check_tools(config, blocks, simulator, args.waves)
    check_folder(args.output)
    args.output.mkdir(parents=True, exist_ok=True)
    coverage = MergedCoverage() if args.coverage else None
    progress = Progress()
    outcomes = list(
        run_benches(
            config,
            args.output,
            blocks=blocks,
            simulator=simulator,
            waves=args.waves,
            seed=args.seed,
            stalls=args.stalls,
            runs=args.runs,
            coverage=coverage,
            progress=progress.show,
        )
    )
    progress.clear()
    print(text_table(_COLUMNS, [*map(_row, outcomes), _total(outcomes)]))
    failed = [outcome for outcome in outcomes if outcome.failure]
    for outcome in failed:
        print(f"\n{outcome.block} {outcome.case}, seed {outcome.seed}: {outcome.failure}")
        print(f"  log: {outcome.log}")
    print(f"\nresults: {args.output / RESULTS}")
    if coverage is not None:
        print(f"\n{_covered(coverage, blocks, args.output)}", end="")
    return WRONG if failed else 0


def _covered(coverage: MergedCoverage, blocks: tuple[str, ...], folder: Path) -> str:
    """Write the reports; what they say as text, and where they are."""
    title = f"Coverage of the benches of {', '.join(blocks)}"
    report = CoverageReport(title=title, coverage=coverage)
    files = report.write(folder)
    return f"{report.text()}coverage: {', '.join(str(path) for path in files)}\n"


def _row(outcome: BenchOutcome) -> dict[str, object]:
    return {
        "block": outcome.block,
        "case": outcome.case,
        "seed": outcome.seed,
        "tests": outcome.tests,
        "cycles": round(outcome.simulated_ns / _PERIOD_NS),
        "seconds": outcome.seconds,
        "result": "WRONG" if outcome.failure else "ok",
    }


def _total(outcomes: list[BenchOutcome]) -> dict[str, object]:
    failed = sum(bool(outcome.failure) for outcome in outcomes)
    sums: dict[str, object] = {"block": "total", "result": f"{failed} WRONG" if failed else "ok"}
    sums["tests"] = sum(outcome.tests for outcome in outcomes)
    sums["cycles"] = round(sum(outcome.simulated_ns for outcome in outcomes) / _PERIOD_NS)
    sums["seconds"] = sum(outcome.seconds for outcome in outcomes)
    return sums
