"""Make a board's bitstream by yosys and nextpnr, with a report of what was reached.

For Xilinx parts, files for Vivado and what yosys counts of the part's resources.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from boards.catalogue import BOARDS, board
from boards.common.board import Board
from hw.arch.errors import RowforgeError
from hw.emit.prefix import PREFIX
from rowforge.configs import preset
from rowforge.options import add_config, add_prefix, chosen_config, chosen_prefix
from rowforge.running.progress import Progress
from sw_driver.arrays import check_folder

_FLASHER = "openFPGALoader"
_LARGEST_SEED = 1 << 31
REPORT = "report.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Board, configuration, folder, seed."""
    parser.add_argument("--board", required=True, metavar="B", help=", ".join(BOARDS))
    add_config(parser, required=False)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder, made if absent"
    )
    add_prefix(parser)
    parser.add_argument(
        "--seed", type=int, default=1, help="of place and route; another one, another frequency"
    )
    parser.add_argument(
        "--report", type=Path, metavar="F.json", help=f"write the report here too (DIR/{REPORT})"
    )
    parser.add_argument(
        "--flash", action="store_true", help=f"then load it into the board by {_FLASHER}"
    )
    parser.add_argument("--json", action="store_true", help="print the report as one object")


def run(args: argparse.Namespace) -> int:
    """Build; 1 if the timing is not met."""
    target = board(args.board)
    if not 0 <= args.seed < _LARGEST_SEED:
        raise RowforgeError(f"--seed must be 0 to {_LARGEST_SEED - 1}, not {args.seed}")
    prefix = chosen_prefix(args)
    config = chosen_config(args) or preset(target.preset)
    check_folder(args.output)
    if args.report is not None:
        check_folder(args.report.parent)
    from boards.common.nextpnr import sentence
    from boards.flows import build  # amaranth is slow to import

    commit = _commit()  # of the sources read now
    progress = Progress()
    report = build(target, config, args.output, args.seed, progress.show, prefix=prefix)
    progress.clear()
    document = {
        **report.as_dict(),
        "preset": _preset_name(args, target),
        "command": _command(args),
        "commit": commit,
    }
    text = json.dumps(document, indent=1) + "\n"
    for path in filter(None, (args.output / REPORT, args.report)):
        path.write_text(text, encoding="utf-8")
    print(text if args.json else _summary(document), end="")
    if report.exceeded:
        more = ", ".join(
            f"{getattr(report, name):,} of {report.available[name]:,} {name}"
            for name in report.exceeded
        )
        sys.stderr.write(f"rowforge: {target.name} has too little for this design: {more}\n")
        return 1
    if report.met is False:
        sys.stderr.write(
            f"rowforge: {target.name} reaches {report.fmax_mhz:.1f} MHz, not the "
            f"{report.target_mhz:g} MHz of its clock; the slowest path takes "
            f"{sentence(report.critical_path)}\n"
        )
        return 1
    return _flash(target, args.output, list(report.files)) if args.flash else 0


def _preset_name(args: argparse.Namespace, target: Board) -> str | None:
    if args.config is not None:
        return None
    return str(args.preset or target.preset)


def _command(args: argparse.Namespace) -> str:
    """The command line that makes this build again; folders by their names."""
    words = ["rowforge", "build", "--board", args.board]
    if args.preset is not None:
        words += ["--preset", args.preset]
    if args.config is not None:
        words += ["--config", args.config.name]
    if args.prefix != PREFIX:
        words += ["--prefix", args.prefix]
    return shlex.join([*words, "-o", args.output.name, "--seed", str(args.seed)])


def _commit() -> str | None:
    """The commit of the sources; `+changes` if they differ from it; None outside of a clone."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None
    call = ("git", "-C", str(root))
    head = subprocess.run(
        [*call, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True
    )
    state = subprocess.run(
        [*call, "status", "--porcelain", "--", "hw", "boards", "rowforge/presets"],
        capture_output=True,
        text=True,
    )
    return f"{head.stdout.strip()}+changes" if state.stdout.strip() else head.stdout.strip()


def _summary(report: dict[str, Any]) -> str:
    available = report["available"]
    lines = [f"{report['board']}: {report['pes']} PEs, {report['multipliers']} multipliers"]
    for name in ("lut", "ff", "dsp", "block_ram"):
        share = f"{100 * report[name] / available[name]:.0f} %"
        lines.append(f"  {name:<10} {report[name]:>7,} of {available[name]:>7,}  {share:>5}")
    if report["fmax_mhz"] is not None:
        lines.append(f"  clock      {report['fmax_mhz']:.1f} MHz for {report['target_mhz']:g} MHz")
    lines.append(f"  peak       {report['gmac_per_s']:.2f} GMAC/s")
    lines.append(f"  took       {report['wall_s']:.0f} s")
    lines += [f"  {name}  {size:,} bytes" for name, size in report["files"].items()]
    return "\n".join(lines) + "\n"


def _flash(target: Board, folder: Path, files: list[str]) -> int:
    """Load the bitstream, or say what to type."""
    if not files:
        raise RowforgeError(f"--flash has no bitstream to load for {target.name}")
    words = [_FLASHER, *target.flash, str(folder / files[0])]
    if shutil.which(_FLASHER) is None:
        print(f"{_FLASHER} is not on the PATH; with it, type: {shlex.join(words)}")
        return 0
    done = subprocess.run(words)
    if done.returncode:
        sys.stderr.write(f"rowforge: {shlex.join(words)} ended with status {done.returncode}\n")
    return int(done.returncode != 0)
