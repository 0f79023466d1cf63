"""Every recorded quantised `.onnx`: `python -m tests.campaigns.models.onnx [--no-rtl]`.

On the golden model all recorded inputs run: outputs must equal ONNX Runtime's without optimisation
where those are recorded (two inputs), and the first input's intermediate tensors too. Elements
that ONNX Runtime with optimisation gives otherwise are counted and listed. The first input runs on
the RTL, every layer checked. Exit status 1 if anything else differs.
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rowforge.cli import main as rowforge
from tests.support.missed import conclude
from tests.support.workloads import ROOT, workload

Arrays = Mapping[str, NDArray[np.generic]]
MODELS = (
    "cONNXr_mnist_quantized",
    "kws_ref_model_tf2onnx_qdq",
    "mnist_8_qdq_u8u8_pt",
    "mnist_8_qoperator_u8s8_pt",
    "pretrainedResnet_quant_tf2onnx_qdq",
    "resnet8_cifar10_qdq_s8s8_pc",
)


def recorded(name: str) -> Arrays:
    """Every array of a model's recording."""
    with np.load(workload(f"onnx/goldens/{name}.npz")) as file:
        return {key: file[key] for key in file.files}


def run(name: str, x: NDArray[np.generic], folder: Path, *arguments: str) -> tuple[Arrays, str]:
    """Outputs as `output`, every tensor of the first input; what a command that failed said."""
    files = {key: folder / f"{key}.npz" for key in "xyt"}
    files["x"], files["y"] = folder / "x.npy", folder / "y.npy"
    np.save(files["x"], x)
    said = io.StringIO()
    options = ["run", workload(f"onnx/{name}.onnx"), "--rounding", "ort", *arguments]
    options += ["--input", files["x"], "--output", files["y"], "--dump", files["t"]]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        status = rowforge([str(option) for option in options])
    if status:
        return {}, f"status {status}: {said.getvalue()}"
    with np.load(files["t"]) as dump:
        return {"output": np.load(files["y"]), **{key: dump[key] for key in dump.files}}, ""


def differences(actual: Arrays, expected: Arrays) -> list[str]:
    """Every recorded tensor that a run contradicts, `output_ort` apart."""
    written = {key.replace("/", "_"): key for key in actual}
    wrong = []
    plain = expected["output_ort_noopt"]
    plain = plain.reshape(-1, *plain.shape[2:])[: len(actual["output"])]
    if not _same(actual["output"][: len(plain)], plain):
        wrong.append("output_ort_noopt")
    for key in (key for key in expected if key.startswith("mid_")):
        if not _same(actual[written[key.split("_", 2)[2]]], expected[key][0]):
            wrong.append(key)
    return wrong


def between_levels(actual: Arrays, expected: Arrays) -> list[str]:
    """Output elements that ONNX Runtime gives otherwise with optimisation."""
    y = actual["output"]
    other = expected["output_ort"].reshape(y.shape)
    return [
        f"  {tuple(place.tolist())}: {y[tuple(place)]}, with optimisation {other[tuple(place)]}"
        for place in np.argwhere(y != other)
    ]


def _same(actual: NDArray[np.generic], expected: NDArray[np.generic]) -> bool:
    return (actual.dtype, actual.shape) == (expected.dtype, expected.shape) and bool(
        np.array_equal(actual, expected)
    )


def verdict(name: str, target: str, preset: str) -> tuple[bool, list[str]]:
    """Whether a model is equal on a target, and the lines of its table."""
    expected = recorded(name)
    x = expected["input"].reshape(-1, *expected["input"].shape[2:])
    x, extra = (x[:1], ["--check"]) if target == "rtl" else (x, [])
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        options = ["--preset", preset, "--target", target, *extra]
        actual, said = run(name, x, Path(folder), *options)
    wrong = [said] if said else differences(actual, expected)
    state = f"DIFFERS: {', '.join(wrong)}" if wrong else "equal"
    tensors = max(len(actual) - 1, 0)
    line = f"{name:36} {target:6} {len(x)} inputs {tensors:3} tensors "
    lines = [f"{line}{time.monotonic() - started:6.1f} s  {state}"]
    if target == "golden" and not said:
        levels = between_levels(actual, expected)
        lines += [f"  {len(levels)} of {actual['output'].size} outputs differ between levels"]
        lines += levels
    return not wrong, lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.models.onnx", description=__doc__)
    parser.add_argument("--no-rtl", action="store_true", help="golden model only")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--only", metavar="TEXT", help="models whose name contains this")
    options = parser.parse_args(arguments)
    if not (ROOT / "onnx" / "goldens").is_dir():
        print(f"the recorded models are not in {ROOT}: set ROWFORGE_WORKLOADS")
        return 2
    good = []
    for target in ("golden",) if options.no_rtl else ("golden", "rtl"):
        for name in MODELS:
            if options.only is None or options.only in name:
                equal, lines = verdict(name, target, options.preset)
                good.append(equal)
                print("\n".join(lines), flush=True)
    print(f"{len(good)} runs of quantised .onnx models, {good.count(False)} differ")
    return conclude(
        [
            (all(good), f"{good.count(False)} of {len(good)} runs differ"),
            (bool(good), f"no model was run (--only {options.only})"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
