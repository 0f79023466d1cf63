"""CMSIS-NN's operator vectors: `python -m tests.campaigns.models.vectors [--target golden]`.

Every vector is a network of one operator, compiled for a preset and run on the emitted Verilog.
Golden model and RTL must give the recorded output; what the compiler refuses is listed with its
sentence. Exit status 1 if anything differs.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.compile import compile_graph
from compiler.ir.graph import Graph, Quantisation, Tensor
from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from rowforge.running.compilation import Compiled
from rowforge.running.execution import run_program
from sim.golden.run import run_node
from tests.support.cmsis_nn import VECTORS, Vector, load_vector
from tests.support.missed import conclude
from tests.support.workloads import ROOT, workload

_UNUSED = Quantisation((1.0,), (0,))  # the nodes carry their own scales


@dataclass(frozen=True)
class Finding:
    """What a vector yields: a verdict, the sentence of a refusal, cycles of the RTL."""

    name: str
    verdict: str
    reason: str = ""
    cycles: int | None = None

    def __str__(self) -> str:
        cycles = "" if self.cycles is None else f"{self.cycles:9,} cycles"
        return f"{self.name:32} {self.verdict:8} {self.reason or cycles}"


def network(vector: Vector) -> tuple[Graph, dict[str, np.ndarray]]:
    """The node as a graph, and its inputs by name in the shapes of their tensors."""
    node = vector.node
    shapes = _input_shapes(vector)
    output = run_node(node, vector.inputs).shape
    tensors = {
        key: Tensor(name=key, key=key, shape=shape, dtype="int8", quantisation=_UNUSED)
        for key, shape in [*zip(node.inputs, shapes, strict=True), (node.output, output)]
    }
    graph = Graph(
        name=node.name,
        tensors=tensors,
        nodes=(node,),
        inputs=node.inputs,
        outputs=(node.output,),
    )
    given = zip(node.inputs, vector.inputs, shapes, strict=True)
    return graph, {key: array.reshape(shape) for key, array, shape in given}


def _input_shapes(vector: Vector) -> list[tuple[int, ...]]:
    node = vector.node
    if not hasattr(node, "image"):
        return [(1, 1, array.size, 1) for array in vector.inputs]
    return [(node.batch, *node.image)]


def run_vector(name: str, config: Config, target: str) -> Finding:
    """One vector on the golden model and, with target rtl, on the emitted Verilog."""
    vector = load_vector(workload(f"op_level/cmsis_nn/{name}.npz"))
    graph, inputs = network(vector)
    golden = run_node(vector.node, vector.inputs).reshape(-1)
    if not np.array_equal(golden, vector.expected):
        return Finding(name, "differs", f"{np.sum(golden != vector.expected)} values on golden")
    if target == "golden":
        return Finding(name, "equal")
    try:
        compiled = Compiled(compile_graph(graph, config, CompileOptions(dump=True)), graph)
    except RowforgeError as error:
        return Finding(name, "refused", str(error))
    result = run_program(compiled, inputs, "rtl", check=True)
    actual = result.outputs[vector.node.output].reshape(-1)
    places = {layer.where for layer in compiled.program.layers}
    if places != {"array"}:
        return Finding(name, "differs", f"runs on {', '.join(sorted(places))}")
    if result.difference is not None or not np.array_equal(actual, vector.expected):
        return Finding(name, "differs", f"{np.sum(actual != vector.expected)} values on RTL")
    return Finding(name, "equal", cycles=result.cycles)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.models.vectors", description=__doc__)
    parser.add_argument("--target", choices=("golden", "rtl"), default="rtl")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--only", metavar="TEXT", help="vectors whose name contains this")
    options = parser.parse_args(arguments)
    if not (ROOT / "op_level" / "cmsis_nn").is_dir():
        print(f"the vectors are not in {ROOT}: set ROWFORGE_WORKLOADS")
        return 2
    started, counts = time.monotonic(), Counter[str]()
    for name in VECTORS:
        if options.only is None or options.only in name:
            finding = run_vector(name, preset(options.preset), options.target)
            counts[finding.verdict] += 1
            print(finding, flush=True)
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    engines = "golden model" if options.target == "golden" else "golden model and RTL"
    print(
        f"{sum(counts.values())} CMSIS-NN vectors on {engines} ({options.preset}): {said}, "
        f"{time.monotonic() - started:.0f} s"
    )
    total = sum(counts.values())
    return conclude(
        [
            (not counts["differs"], f"{counts['differs']} of {total} vectors differ"),
            (bool(total), f"no vector was run (--only {options.only})"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
