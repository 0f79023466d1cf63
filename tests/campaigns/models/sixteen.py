"""A small 16x8 network by `rowforge run`: `python -m tests.campaigns.models.sixteen`.

Its weights follow from a seed. TensorFlow Lite Micro computes every layer, and the golden model
must yield the same. The program then runs on the executor or on the RTL, where every layer is
checked against the golden model. Exit status 1 if anything differs.
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

from rowforge.cli import main as rowforge
from tests.support.missed import conclude
from tests.support.tflite.checking import tflm_outputs
from tests.support.tflite.layers import RELU, RELU6, VALID
from tests.support.tflite.wide import WideLayerWriter

SEED = 16
TARGETS = ("golden", "rtl")  # with --check, golden is the executor of programs


def network(seed: int = SEED) -> tuple[bytes, list[np.ndarray], list[str]]:
    """(the file, its inputs, the name of every layer's output); each is an output of the file.

    Two convolutions, one of them with sums of 32 bits, a depthwise one, a residual, a gate of one
    value per channel, a join, both pools, a dense layer and a softmax.
    """
    layers = WideLayerWriter(seed)
    x = layers.activation((1, 13, 12, 3), scale=1e-4)
    first = layers.conv(x, 8, (3, 3), stride=(2, 2), activation=RELU)
    wide = layers.depthwise(first, 1, (3, 3), activation=RELU6)
    layers.bias = "int32"
    narrow = layers.conv(wide, 8, (1, 1))
    layers.bias = "int64"
    total = layers.binary("ADD", narrow, first, activation=RELU)
    gate = layers.mean(total, (1, 2), keep=True)
    product = layers.binary("MUL", total, layers.logistic(gate))
    joined = layers.concat([product, layers.pool("MAX_POOL_2D", product, (3, 3))], 3)
    pooled = layers.pool("AVERAGE_POOL_2D", joined, (2, 3), stride=(2, 3), padding=VALID)
    flat = layers.reshape(pooled, (1, int(np.prod(layers.shape(pooled)))))
    scores = layers.fully_connected(flat, 10)
    layers.softmax(scores)
    outputs = layers.writer.written
    values = [layers.input_values(x)]
    return layers.finish([x], outputs), values, [f"t{tensor}" for tensor in outputs]


def differences(target: str, preset: str, folder: Path) -> list[str]:
    """Names of the layers that are not as TensorFlow Lite Micro has them, or what failed."""
    content, values, names = network()
    expected = tflm_outputs(content, values, len(names))
    model, x, t = (folder / name for name in ("sixteen.tflite", "x.npy", "t.npz"))
    model.write_bytes(content)
    np.save(x, values[0])
    arguments = ["run", model, "--preset", preset, "--input", x, "--dump", t]
    wrong = []
    for more in (["--target", "golden"], ["--target", target, "--check"]):
        said = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            status = rowforge([str(argument) for argument in arguments + more])
        if status:
            return [f"status {status}: {said.getvalue()}"]
        with np.load(t) as dump:
            found = {key.rsplit("_", 1)[-1]: dump[key] for key in dump.files}
        wrong += [
            name
            for name, wanted in zip(names, expected, strict=True)
            if not np.array_equal(found[name].reshape(wanted.shape), wanted)
        ]
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.models.sixteen", description=__doc__)
    parser.add_argument("--target", choices=TARGETS, default="golden")
    parser.add_argument("--preset", default="tiny_16x8")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        wrong = differences(options.target, options.preset, Path(folder))
    count = len(network()[2])
    print(
        f"{count} layers on {options.target} ({options.preset}), {len(wrong)} differ, "
        f"{time.monotonic() - started:.0f} s"
    )
    return conclude([(not wrong, f"these differ: {', '.join(wrong)}")])


if __name__ == "__main__":
    sys.exit(main())
