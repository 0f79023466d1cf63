"""Run a program file on an accelerator: `python -m sw_driver FILE.rfp --url URL`.

This is the driver's own command. It needs NumPy, `hw.arch` and `numerics`, neither the compiler nor
the model, so that it can be copied to the machine at a board.
"""

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from hw.arch.errors import RowforgeError
from hw.arch.program.file import load_program
from hw.arch.version import version_text
from sw_driver.accelerator import Accelerator
from sw_driver.arrays import check_output, read_arrays, write_arrays
from sw_driver.protocol.errors import DriverError
from sw_driver.runtime import split_inputs

GOOD, FAILED, BAD_USE = 0, 1, 2
_NAME = "sw_driver"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_USE, f"{_NAME}: {message} (see python -m {_NAME} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program once for every input, without its queries, which are for measurements.

    Returns 0 for a good run, 1 if link or accelerator failed, 2 for bad use or bad input.
    """
    warnings.showwarning = _show_warning
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else BAD_USE
    try:
        return _run(options)
    except RowforgeError as error:
        return _complain(error, BAD_USE)
    except DriverError as error:
        return _complain(error, FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=f"python -m {_NAME}", description=__doc__)
    parser.add_argument("--version", action="version", version=f"{_NAME} {version_text()}")
    parser.add_argument("program", type=Path, metavar="FILE.rfp", help="a compiled program")
    parser.add_argument(
        "--url",
        required=True,
        help="the accelerator: tcp://host:port, serial:///dev/ttyX?baud=N, pynq:FILE.bit",
    )
    parser.add_argument(
        "--input",
        type=Path,
        required=True,
        metavar="X.npy",
        help="inputs, N in place of the batch dimension 1 (.npz: several, by name); of a streaming "
        "network N consecutive steps",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="Y.npy",
        help="where outputs go (.npz: by name)",
    )
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.program.suffix != ".rfp":
        raise RowforgeError(
            f"a program file's name must end in .rfp, not '{options.program}'; "
            "`rowforge compile` makes one of a model"
        )
    program = load_program(options.program).uncounted()
    check_output(options.output, len(program.outputs))
    inputs = read_arrays(options.input)
    split_inputs(program, inputs)  # refuses them before a board is asked
    with Accelerator.open(options.url) as accelerator:
        accelerator.load(program)
        write_arrays(options.output, accelerator.run_in_full(inputs).outputs)
    return GOOD


def _complain(error: Exception, status: int) -> int:
    sys.stderr.write(f"{_NAME}: {error}\n")
    return status


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    sys.stderr.write(f"{_NAME}: warning: {message}\n")
