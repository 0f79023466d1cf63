"""Minimal cases of faults in the field: `python -m tests.campaigns.models.cases [--target rtl]`.

Every folder holds a model, inputs and what its interpreter gives; a `config.toml` is the
configuration that the case needs. The golden model must give the expected values, and the executed
command stream, or with target rtl the emitted Verilog of two configurations, those of the golden
model. Values between DequantizeLinear and QuantizeLinear may lie at a proven edge, and are listed.
Exit status 1 if anything differs.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from compiler.compile import compile_graph
from compiler.frontends import load_model
from compiler.ir.graph import Graph
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from rowforge.running.compilation import Compiled
from rowforge.running.execution import run_program
from sim.golden import run_graph
from tests.campaigns.fuzz_graph.onnx.explain import accounted
from tests.campaigns.fuzz_graph.runner import after
from tests.support.flat import recorded_config
from tests.support.missed import conclude
from tests.support.onnx.layerwise import by_layer
from tests.support.onnx.models import feeds_for, oracle
from tests.support.workloads import ROOT

Arrays = Mapping[str, NDArray[Any]]
FOLDER = ROOT / "cases"
_CONTROL = "control_"  # a model beside the case's own that was right all along
_RTL = ("tiny", "eyeriss_v1_int8")
_EXECUTED = ("tiny",)


@dataclass(frozen=True)
class FieldCase:
    """A model of a case's folder."""

    model: Path

    @property
    def name(self) -> str:
        """Folder and file."""
        return f"{self.model.parent.name}/{self.model.name}"

    @property
    def misfit(self) -> bool:
        """Whether the recorded arrays are another model's: they have not an ONNX input's shape."""
        if self.model.suffix != ".onnx":
            return False
        recorded = _arrays(self.model.with_name("input.npz"))
        shapes = {
            value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            for value in onnx.load(self.model).graph.input
        }
        return {n: a.shape[1:] for n, a in recorded.items()} != {
            n: s[1:] for n, s in shapes.items()
        }

    def inputs(self) -> Arrays:
        """By name, the items along the batch dimension; random ones if the recorded do not fit."""
        if not self.misfit:
            return _arrays(self.model.with_name("input.npz"))
        model, random = onnx.load(self.model), np.random.default_rng(1)
        parts = [feeds_for(model, random) for _ in range(2)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def expected(self) -> Arrays:
        """What the interpreter gives, by name; ONNX Runtime is asked now for a control, and where
        the recorded arrays do not fit."""
        if not self.model.name.startswith(_CONTROL) and not self.misfit:
            return _arrays(self.model.with_name("expected.npz"))
        model = onnx.load(self.model)
        names = [value.name for value in model.graph.output]
        parts = [oracle(model, dict(item), optimised=False) for item in items(self.inputs(), _ones)]
        return {
            name: np.concatenate(arrays)
            for name, arrays in zip(names, zip(*parts, strict=True), strict=True)
        }

    def configurations(self, presets: Sequence[str]) -> dict[str, Config]:
        """The case's own, else these presets."""
        own = self.model.with_name("config.toml")
        if own.exists():
            return {own.name: recorded_config(own)}
        return {name: preset(name) for name in presets}


@dataclass
class Verdict:
    """What is wrong with a case, which values lie at an edge, where it ran."""

    wrong: list[str] = field(default_factory=list)
    edges: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)


def every_case() -> list[FieldCase]:
    """All models of all folders; a folder without one is an error."""
    found = []
    for folder in sorted(path for path in FOLDER.iterdir() if path.is_dir()):
        models = sorted(p for p in folder.iterdir() if p.suffix in (".tflite", ".onnx"))
        assert models, f"{folder.name} holds no model"
        found += [FieldCase(model) for model in models]
    return found


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path) as file:
        return {key: file[key] for key in file.files}


def _ones(name: str) -> int:
    return 1


def items(inputs: Arrays, batch: Any) -> list[dict[str, NDArray[Any]]]:
    """The inputs one inference at a time; `batch` gives each input's own leading size."""
    count = min(len(array) // batch(name) for name, array in inputs.items())
    return [
        {name: a[n * batch(name) : (n + 1) * batch(name)] for name, a in inputs.items()}
        for n in range(count)
    ]


def golden(case: FieldCase, graph: Graph) -> tuple[list[dict[str, NDArray[Any]]], Verdict]:
    """The golden model's outputs of every item, held against the expected ones."""
    verdict, outputs = Verdict(ran=["golden"]), []
    leading = {graph.tensors[key].name: _leading(graph, key) for key in graph.inputs}
    names = [graph.tensors[key].name for key in graph.outputs]
    expected = named(case.expected(), names)
    inputs = named(case.inputs(), list(leading))
    for number, item in enumerate(items(inputs, leading.__getitem__)):
        excused: set[str] = set()
        if case.model.suffix == ".onnx":
            found = by_layer(graph, onnx.load(case.model), item, accounted)
            verdict.wrong += [f"item {number}, layer by layer: {line}" for line in found.wrong]
            verdict.edges += [f"item {number}: {n}: {e}" for n, e in found.edges.items()]
            excused = after(graph, found.reasons)
        values = run_graph(graph, item)
        outputs.append({graph.tensors[key].name: values[key] for key in graph.outputs})
        for key in graph.outputs:
            size, name = len(values[key]), graph.tensors[key].name
            right = expected[name][number * size : (number + 1) * size]
            wrong = _wrong(values[key], right)
            if wrong and key not in excused:
                verdict.wrong.append(f"item {number}: {wrong} of {right.size} values of {name}")
    return outputs, verdict


def named(arrays: Arrays, names: Sequence[str]) -> Arrays:
    """By the model's names; a file may hold other ones, then in the model's order."""
    assert len(arrays) == len(names), f"{list(arrays)} are not {list(names)}"
    if set(arrays) == set(names):
        return arrays
    return dict(zip(names, arrays.values(), strict=True))


def _leading(graph: Graph, key: str) -> int:
    tensor = graph.tensors[key]
    return len(tensor.in_model_layout(np.zeros(tensor.shape, np.int8)))


def _wrong(actual: NDArray[Any], right: NDArray[Any]) -> int:
    if (actual.shape, actual.dtype) != (right.shape, right.dtype):
        return max(right.size, 1)
    return int(np.sum(actual != right))


def judge(case: FieldCase, target: str, presets: Sequence[str] = ()) -> Verdict:
    """Run a case on the golden model, then on the command stream or the RTL."""
    try:
        graph = load_model(case.model)
        outputs, verdict = golden(case, graph)
        presets = presets or (_RTL if target == "rtl" else _EXECUTED)
        for name, config in case.configurations(presets).items():
            _programmed(case, graph, outputs, verdict, (name, config, target))
    except RowforgeError as error:
        return Verdict(wrong=[f"refused: {error}"])
    except Exception as error:
        return Verdict(wrong=[f"internal error {type(error).__name__}: {error}"])
    return verdict


def _programmed(
    case: FieldCase,
    graph: Graph,
    outputs: list[dict[str, NDArray[Any]]],
    verdict: Verdict,
    where: tuple[str, Config, str],
) -> None:
    """The compiled program's outputs must be the golden model's."""
    name, config, target = where
    program = compile_graph(graph, config)
    uses_array = any(layer.where == "array" for layer in program.layers)
    if target == "rtl" and not uses_array:
        verdict.ran.append("host alone")
        return
    # Without its graph a program runs as a command stream, not as the graph it came from.
    engine = "rtl" if target == "rtl" else "golden"
    inputs = named(case.inputs(), [graph.tensors[key].name for key in graph.inputs])
    result = run_program(Compiled(program), inputs, engine)
    if target != "rtl":
        verdict.ran.append(f"stream of {name}")
    elif result.cycles:
        verdict.ran.append(f"rtl of {name} ({result.cycles} cycles)")
    else:
        verdict.wrong.append(f"{name}: no clock ran")
    for key in graph.outputs:
        tensor = graph.tensors[key].name
        right = np.concatenate([part[tensor] for part in outputs])
        wrong = _wrong(result.outputs[tensor], right)
        if wrong:
            verdict.wrong.append(f"{name} {target}: {wrong} of {right.size} values of {tensor}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.models.cases", description=__doc__)
    parser.add_argument("--target", choices=("functional", "rtl"), default="functional")
    parser.add_argument(
        "--preset", action="append", default=[], help="another configuration (may be repeated)"
    )
    parser.add_argument("--only", metavar="TEXT", help="cases whose name contains this")
    options = parser.parse_args(arguments)
    if not FOLDER.is_dir():
        print(f"the cases are not in {ROOT}: set ROWFORGE_WORKLOADS")
        return 2
    wrong = []
    for case in every_case():
        if options.only is not None and options.only not in case.name:
            continue
        started = time.monotonic()
        verdict = judge(case, options.target, options.preset)
        wrong.append(bool(verdict.wrong))
        state = f"DIFFERS: {'; '.join(verdict.wrong)}" if verdict.wrong else "equal"
        seconds = time.monotonic() - started
        print(f"{case.name:48} {', '.join(verdict.ran):44} {seconds:6.1f} s  {state}", flush=True)
        if case.misfit:
            print(
                "  its recorded arrays do not fit the model: random inputs, ONNX Runtime asked now"
            )
        for line in verdict.edges:
            print(f"  at an edge: {line}")
    print(f"{len(wrong)} cases, {wrong.count(True)} differ")
    differing = f"{wrong.count(True)} of {len(wrong)} cases differ"
    return conclude([(not any(wrong), differing), (bool(wrong), "no case ran")])


if __name__ == "__main__":
    sys.exit(main())
