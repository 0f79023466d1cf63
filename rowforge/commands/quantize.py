"""Quantise a float ONNX model to int8 and show what each layer loses."""

import argparse
from pathlib import Path

from hw.arch.errors import RowforgeError
from rowforge.quantiser import LayerError, quantise_model
from sw_driver.arrays import check_writable, read_arrays

_WORST = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, calibration inputs, output."""
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="a float model")
    parser.add_argument(
        "--calibration",
        type=Path,
        required=True,
        metavar="X.npz",
        help="typical inputs by name, N in place of the batch dimension (.npy: the only input)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="Q.onnx", help="the quantised model"
    )


def run(args: argparse.Namespace) -> int:
    """Quantise, measure, name the worst layers."""
    for path in (args.model, args.output):
        if path.suffix != ".onnx":
            raise RowforgeError(f"a model's file name must end in .onnx here, not {path.name!r}")
    check_writable(args.output)
    errors = quantise_model(args.model, read_arrays(args.calibration), args.output)
    print(table(errors))
    print(f"{args.output}: {args.output.stat().st_size:,} bytes")
    return 0


def table(errors: tuple[LayerError, ...]) -> str:
    """One line a layer, then the worst ones."""
    width = max((len(error.name) for error in errors), default=5)
    lines = [f"{'layer':{width}}  {'operator':18} {'SQNR':>9}"]
    lines += [f"{error.name:{width}}  {error.op:18} {error.sqnr:6.1f} dB" for error in errors]
    worst = sorted(errors, key=lambda error: error.sqnr)[:_WORST]
    lines.append("worst: " + ", ".join(f"{error.name} ({error.sqnr:.1f} dB)" for error in worst))
    return "\n".join(lines)
