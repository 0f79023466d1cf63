"""Test a board: identity, memory, arithmetic, one small network, link statistics."""

import argparse
from pathlib import Path

from hw.arch.config.file import render_toml
from hw.arch.errors import RowforgeError
from rowforge.running.targets import open_target
from rowforge.selftest import Check, self_test

WRONG = 1
_MARKS = {True: "ok", False: "WRONG", None: "-"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which board."""
    parser.add_argument(
        "--target",
        required=True,
        metavar="URL",
        help="tcp://host:port, serial:///dev/ttyX?baud=N or pynq:FILE.bit",
    )
    parser.add_argument(
        "--memory-words",
        type=int,
        metavar="N",
        help="test so many 64-bit words of the board's memory (default: all, 7 s a MB at 3 Mbaud)",
    )
    parser.add_argument(
        "--save-config", type=Path, metavar="F.toml", help="write the board's configuration"
    )


def run(args: argparse.Namespace) -> int:
    """Test and report; status 1 if anything is wrong."""
    if args.memory_words is not None and args.memory_words < 1:
        raise RowforgeError(f"--memory-words must be at least 1, not {args.memory_words}")
    good = True
    with open_target(args.target) as accelerator:
        if args.save_config is not None and accelerator.config is not None:
            _save(args.save_config, render_toml(accelerator.config))
        for check in self_test(accelerator, memory_words=args.memory_words):
            _report(check)
            good = good and check.passed is not False
    return 0 if good else WRONG


def _report(check: Check) -> None:
    print(f"{check.name:<12}  {_MARKS[check.passed]:<5}  {check.seen}", flush=True)


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RowforgeError(f"cannot write {path}: {error.strerror}") from None
