"""The driver alone on every recorded model: `python -m tests.campaigns.models.driver`.

Every program runs by `python -m sw_driver` in a process that has NumPy, `hw.arch`, `numerics` and
the driver, nothing else, over TCP on an accelerator that another process serves: the executor of
command streams, for the digits and ResNet-8 also the virtual board, which is RTL. The outputs of
the first inputs must be the golden model's. Exit status 1 if one is not.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hw.arch.config import Config
from hw.arch.program.file import save_program
from rowforge.configs import preset
from rowforge.demonstration import held_out_digits
from rowforge.running.compilation import compile_model, digits_model
from rowforge.running.execution import run_program
from tests.campaigns.models import onnx
from tests.campaigns.models.recorded import FOLDERS, batch_of, every_case
from tests.support.driver_alone import DriverAlone
from tests.support.functional_board import functional_board, virtual_board
from tests.support.missed import conclude
from tests.support.workloads import ROOT, workload

EXECUTOR, RTL = "executor", "rtl"
ON_RTL = ("digits", "pretrainedResnet_quant")
INPUTS = {EXECUTOR: 2, RTL: 1}
LARGE = "tf2_mobilenet_v2_1.0_224_ptq"  # one input takes the executor a minute


@dataclass(frozen=True)
class Model:
    """A model file and the inputs that were recorded with it, N in place of the batch of 1."""

    name: str
    path: Path
    inputs: NDArray[np.generic]


def digits() -> Model:
    """The model that ships with the package."""
    return Model("digits", digits_model(), held_out_digits().images)


def models() -> list[Model]:
    """The digits, and every recorded `.tflite` and quantised `.onnx`."""
    found = {"digits": digits()}
    for case in every_case():
        if case.model not in found:
            found[case.model] = Model(case.model, case.path, batch_of(case.recorded()))
    for name in onnx.MODELS:
        x = onnx.recorded(name)["input"]
        path = workload(f"onnx/{name}.onnx")
        found[name] = Model(name, path, x.reshape(-1, *x.shape[2:]))
    return list(found.values())


@dataclass(frozen=True)
class Finding:
    """What became of a model: what is wrong, "" if every output is equal."""

    model: str
    engine: str
    host_steps: int
    inputs: int
    values: int
    seconds: float
    wrong: str

    def __str__(self) -> str:
        return (
            f"{self.model:36} {self.engine:8} {self.host_steps:2} host steps {self.inputs} inputs "
            f"{self.values:8,} values {self.seconds:7.1f} s  {self.wrong or 'equal'}"
        )


def run_model(
    model: Model, engine: str, config: Config, folder: Path, *, brief: bool = False
) -> Finding:
    """Compile a model, run its program by the driver alone, compare the outputs.

    brief : the RTL's simulator is built fast, for a run that is short
    """
    compiled = compile_model(model.path, config)
    x = model.inputs[: 1 if model.name == LARGE else INPUTS[engine]]
    expected = run_program(compiled, x, "golden").outputs
    program, given, written = (folder / file for file in ("model.rfp", "x.npy", "y.npz"))
    save_program(compiled.program, program)
    np.save(given, x)
    alone = folder / "alone"
    alone.mkdir()
    started = time.monotonic()
    if engine == RTL:
        board = virtual_board(config, folder, brief=brief)
    else:
        board = functional_board(config, folder)
    with board as url:
        done = DriverAlone(alone).run(program, "--url", url, "--input", given, "--output", written)
    seconds = time.monotonic() - started
    wrong = f"status {done.status}: {done.said}" if done.status else ""
    if not wrong:
        with np.load(written) as outputs:
            wrong = differences({key: outputs[key] for key in outputs.files}, expected)
    hosted = sum(layer.where == "host" for layer in compiled.program.layers)
    values = sum(array.size for array in expected.values())
    return Finding(model.name, engine, hosted, len(x), values, seconds, wrong)


def differences(
    actual: dict[str, NDArray[np.generic]], expected: dict[str, NDArray[np.generic]]
) -> str:
    """What differs between the outputs of a run and those of the golden model; "" if nothing."""
    if set(actual) != set(expected):
        return f"DIFFERS: outputs {', '.join(actual)} in place of {', '.join(expected)}"
    said = []
    for name, array in expected.items():
        ours = actual[name]
        if (ours.dtype, ours.shape) != (array.dtype, array.shape):
            said.append(f"{name} is {ours.dtype} {ours.shape}, not {array.dtype} {array.shape}")
        elif ours.tobytes() != np.ascontiguousarray(array).tobytes():
            said.append(f"{np.sum(ours != array)} of {array.size} values of {name}")
    return f"DIFFERS: {'; '.join(said)}" if said else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.models.driver", description=__doc__)
    parser.add_argument("--no-rtl", action="store_true", help="the executor only")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--only", metavar="TEXT", help="models whose name contains this")
    options = parser.parse_args(arguments)
    if not all((ROOT / folder / "goldens").is_dir() for folder in (*FOLDERS, "onnx")):
        print(f"the recorded models are not in {ROOT}: set ROWFORGE_WORKLOADS")
        return 2
    findings, config = [], preset(options.preset)
    for engine in (EXECUTOR,) if options.no_rtl else (EXECUTOR, RTL):
        for model in models():
            if engine == RTL and model.name not in ON_RTL:
                continue
            if options.only is None or options.only in model.name:
                with tempfile.TemporaryDirectory() as folder:
                    findings.append(run_model(model, engine, config, Path(folder)))
                print(findings[-1], flush=True)
    wrong = [finding for finding in findings if finding.wrong]
    print(f"{len(findings)} programs run by the driver alone ({options.preset})")
    return conclude(
        [
            (not wrong, f"{len(wrong)} of {len(findings)} programs differ from the golden model"),
            (bool(findings), f"no model was run (--only {options.only})"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
