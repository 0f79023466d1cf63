"""The command line: parses, dispatches, and turns errors into one sentence and a status."""

import argparse
import gc
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from compiler.ir.refusals import ModelRefusedError
from hw.arch.errors import RowforgeError
from hw.arch.version import version_text
from rowforge.running.progress import Progress
from sw_driver.protocol.errors import DriverError

COMMANDS = (
    "presets",
    "boards",
    "doctor",
    "generate",
    "asic",
    "bench",
    "prove",
    "compile",
    "export-c",
    "run",
    "estimate",
    "report",
    "explore",
    "table",
    "whatif",
    "reproduce",
    "quantize",
    "build",
    "serve",
    "selftest",
    "demo",
)
_FOLDERS = {
    "board": ("boards", "build", "serve", "selftest"),
    "design": ("explore", "table", "whatif"),
}  # commands in folders of their own

# A command makes many small objects and keeps most of them: looking for garbage less often makes
# `estimate` of VGG-16 6 % faster.
_OBJECTS_BETWEEN_COLLECTIONS = 100_000

GOOD, WRONG, BAD_USE, INTERRUPTED = 0, 1, 2, 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_USE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line, every command's arguments included."""
    parser = _Parser(
        prog="rowforge",
        description="Generate Eyeriss-style accelerators and run int8 networks on them, bit-exact.",
    )
    parser.add_argument("--version", action="version", version=f"rowforge {version_text()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name in COMMANDS:
        folder = next((f"{key}." for key, names in _FOLDERS.items() if name in names), "")
        module = importlib.import_module(f"rowforge.commands.{folder}{name.replace('-', '_')}")
        summary = (module.__doc__ or "").splitlines()[0]
        command = commands.add_parser(name, help=summary, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0 good, 1 wrong result, 2 bad use or bad input."""
    warnings.showwarning = _show_warning
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    parser = build_parser()
    try:
        args = parser.parse_args(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else BAD_USE
    if args.command is None:
        parser.print_help(sys.stderr)
        return BAD_USE
    try:
        status = int(args.run(args))
        sys.stdout.flush()
        return status
    except ModelRefusedError as error:
        return _say(str(error), BAD_USE)
    except RowforgeError as error:
        return _complain(str(error), BAD_USE)
    except DriverError as error:
        return _complain(str(error), WRONG)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return GOOD
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except Exception as error:
        if os.environ.get("ROWFORGE_DEBUG"):
            raise
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return _complain(
            f"internal error, which is a bug of rowforge: {said} (ROWFORGE_DEBUG=1 shows where)",
            BAD_USE,
        )


def _complain(message: str, status: int) -> int:
    """One line, whatever names the message holds."""
    return _say(" ".join(message.split()), status)


def _say(message: str, status: int) -> int:
    Progress().clear()
    sys.stderr.write(f"rowforge: {message}\n")
    return status


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    sys.stderr.write(f"rowforge: warning: {message}\n")
