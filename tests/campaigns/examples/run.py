"""Networks of the kinds that users bring: `python -m tests.campaigns.examples.run`.

MobileNetV3 and EfficientNet-Lite blocks, a U-Net and a YOLO head (`tests.support.tflite.examples`).
TensorFlow Lite Micro computes every layer, and the golden model must yield the same. With target
golden the executor runs the whole program, with target rtl the first operators run on the RTL;
both are checked against the golden model layer by layer. Exit status 1 if anything differs.
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from compiler.frontends import load_model
from rowforge.cli import main as rowforge
from sim.golden import run_graph
from tests.support.missed import conclude
from tests.support.tflite.checking import tflm_outputs
from tests.support.tflite.cut import cut
from tests.support.tflite.examples import EXAMPLES, example

SEED = 7
FIRST = 10  # operators that the RTL runs
TARGETS = ("golden", "rtl")  # with --check, golden is the executor of programs


def layers_that_differ(name: str, folder: Path) -> tuple[list[str], int]:
    """Names of the tensors that the golden model has otherwise, of so many."""
    writer, image, _ = example(name, SEED)
    written = list(writer.writer.written)
    content, values = writer.finish([image], written), writer.input_values(image)
    path = folder / f"{name}.tflite"
    path.write_bytes(content)
    graph = load_model(path)
    ours = run_graph(graph, values)
    pairs = zip(graph.outputs, tflm_outputs(content, [values], len(written)), strict=True)
    wrong = [
        key
        for key, theirs in pairs
        if ours[key].dtype != theirs.dtype or not np.array_equal(ours[key], theirs)
    ]
    return [f"{name}: {key}" for key in wrong], len(written)


def run_checked(name: str, target: str, preset: str, folder: Path) -> str:
    """What `rowforge run --check` has to complain about, empty if nothing."""
    writer, image, output = example(name, SEED)
    content, values = writer.finish([image], [output]), writer.input_values(image)
    if target == "rtl":
        content, _ = cut(content, FIRST)
    path, x = folder / f"{name}.tflite", folder / "x.npy"
    path.write_bytes(content)
    np.save(x, values)
    arguments = ["run", path, "--preset", preset, "--target", target, "--check", "--input", x]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = rowforge([str(argument) for argument in arguments])
    return "" if status == 0 else f"{name}: status {status}: {said.getvalue().splitlines()[-1]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.examples.run", description=__doc__)
    parser.add_argument("--target", choices=TARGETS, default="golden")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--only", choices=sorted(EXAMPLES))
    options = parser.parse_args(arguments)
    wrong: list[str] = []
    for name in [options.only] if options.only else EXAMPLES:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found, count = layers_that_differ(name, Path(folder))
            said = run_checked(name, options.target, options.preset, Path(folder))
        found += [said] if said else []
        print(
            f"{name}: {count} layers, on {options.target} ({options.preset}) "
            f"{'equal' if not found else 'DIFFERS'}, {time.monotonic() - started:.0f} s",
            flush=True,
        )
        wrong += found
    return conclude([(not wrong, f"these differ: {', '.join(wrong)}")])


if __name__ == "__main__":
    sys.exit(main())
