"""Every recorded model's command stream without time: `python -m tests.campaigns.models.stream`.

The first input runs through the program without layers kept, whose tensors stay in the buffer or
are evicted as in every run that asks for nothing. The executor checks on the way that every operand
of a command is one thing in the buffer. Outputs must be the golden model's, which the other
campaigns hold against the recordings. Of networks that would take hours the first operators run.
Exit status 1 if anything differs.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compiler.options import CompileOptions
from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from rowforge.running.compilation import compile_model
from sim.functional import FunctionalAccelerator, SemanticsError
from sim.golden import run_graph
from sw_driver.runtime import Runtime
from tests.campaigns.models.onnx import MODELS
from tests.campaigns.models.onnx import recorded as onnx_recorded
from tests.campaigns.models.recorded import FOLDERS, batch_of, every_case
from tests.campaigns.models.run import CUT
from tests.support.missed import conclude
from tests.support.tflite.cut import cut
from tests.support.workloads import ROOT, workload


def disagreement(
    path: Path, x: NDArray[np.generic], preset_name: str, *, rounding: str | None = None
) -> str:
    """What is wrong with a model's program on one input; nothing if its outputs are golden's."""
    config = preset(preset_name)
    compiled = compile_model(path, config, CompileOptions(rounding=rounding))
    program, graph = compiled.program, compiled.graph
    assert graph is not None
    inputs = {program.tensors[program.inputs[0]].name: x}
    executor = FunctionalAccelerator(config, program=program)
    try:
        outputs = Runtime(executor, config).run(program, inputs).outputs
    except (SemanticsError, RowforgeError) as error:
        return f"{type(error).__name__}: {error}"
    golden = run_graph(graph, inputs)
    wrong = [
        graph.tensors[key].name
        for key in graph.outputs
        if not np.array_equal(outputs[graph.tensors[key].name].reshape(-1), golden[key].reshape(-1))
    ]
    return f"outputs {', '.join(wrong)} differ" if wrong else ""


def models(folder: Path) -> Iterator[tuple[str, Path, NDArray[np.generic], str | None]]:
    """Name, file, first input and rounding of every recorded model, the longest ones cut."""
    seen: set[str] = set()
    for case in every_case():
        if case.model in seen:
            continue
        seen.add(case.model)
        path = case.path
        if case.model in CUT:
            content, _ = cut(path.read_bytes(), CUT[case.model])
            path = folder / path.name
            path.write_bytes(content)
        yield f"{case.folder}/{case.model}", path, batch_of(case.recorded())[:1], None
    for name in MODELS:
        x = onnx_recorded(name)["input"]
        yield f"onnx/{name}", workload(f"onnx/{name}.onnx"), x.reshape(-1, *x.shape[2:])[:1], "ort"


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.models.stream", description=__doc__)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--only", metavar="TEXT", help="models whose name contains this")
    options = parser.parse_args(arguments)
    if not all((ROOT / folder / "goldens").is_dir() for folder in (*FOLDERS, "onnx")):
        print(f"the recorded models are not in {ROOT}: set ROWFORGE_WORKLOADS")
        return 2
    count, wrong = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for name, path, x, rounding in models(Path(folder)):
            if options.only is not None and options.only not in name:
                continue
            started = time.monotonic()
            found = disagreement(path, x, options.preset, rounding=rounding)
            state = f"DIFFERS: {found}" if found else "equal"
            print(f"{name:50} {time.monotonic() - started:7.1f} s  {state}", flush=True)
            count, wrong = count + 1, wrong + bool(found)
    print(f"{count} programs without layers kept ({options.preset}), {wrong} differ")
    return conclude(
        [(not wrong, f"{wrong} of {count} programs differ"), (count > 0, "no model ran")]
    )


if __name__ == "__main__":
    sys.exit(main())
