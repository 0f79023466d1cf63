"""The node tests of the ONNX backend suite, run through the front end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.backend.test.case.node import collect_testcases

from compiler.frontends.onnx.loader import SUPPORTED, load_onnx
from compiler.ir.fold import fold
from compiler.ir.graph import Graph

# Operators that combine two activations: all their inputs stay inputs.
_OF_ACTIVATIONS = ("Add", "Min", "Max", "Where")


@dataclass(frozen=True)
class NodeTest:
    """One test: its model, its inputs and outputs by name, the operator that it is about."""

    name: str
    path: Path
    op_type: str
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]

    @property
    def fixed(self) -> dict[str, np.ndarray]:
        """Inputs that a real model holds as initializers: weights, scales, zero points, bounds."""
        if self.op_type in _OF_ACTIVATIONS:
            return {}
        return dict(list(self.inputs.items())[1:])

    @property
    def fed(self) -> dict[str, np.ndarray]:
        """Inputs that are given when the model runs."""
        return {name: a for name, a in self.inputs.items() if name not in self.fixed}

    def graph(self) -> Graph:
        """The graph; RowforgeError where the operator cannot run."""
        return fold(load_onnx(self.path, self.fixed))


def read_node_test(folder: Path) -> NodeTest:
    """The test in a folder."""
    model = onnx.load(folder / "model.onnx")
    graph = model.graph
    data = folder / "test_data_set_0"
    return NodeTest(
        name=folder.name,
        path=folder / "model.onnx",
        op_type=graph.node[0].op_type,
        inputs=_arrays(data, "input", [value.name for value in graph.input]),
        outputs=_arrays(data, "output", [value.name for value in graph.output]),
    )


def suite(folder: Path) -> Iterator[NodeTest]:
    """The suite as the `onnx` package makes it, of operators that are read; models go to `folder`.

    Making all cases takes the package about 20 s. Cases of several operators or of sequences are
    left out.
    """
    for case in collect_testcases(None):
        nodes = case.model.graph.node
        if len(nodes) != 1 or nodes[0].op_type not in SUPPORTED:
            continue
        graph, (inputs, outputs) = case.model.graph, case.data_sets[0]
        given = (*inputs, *outputs)
        if not all(isinstance(array, np.ndarray | np.generic) for array in given):
            continue
        path = folder / f"{case.name}.onnx"
        path.write_bytes(case.model.SerializeToString())
        yield NodeTest(
            name=case.name,
            path=path,
            op_type=nodes[0].op_type,
            inputs=_named(graph.input, inputs),
            outputs=_named(graph.output, outputs),
        )


def _named(values: Any, arrays: Sequence[Any]) -> dict[str, np.ndarray]:
    return {value.name: np.asarray(array) for value, array in zip(values, arrays, strict=True)}


def _arrays(data: Path, kind: str, names: list[str]) -> dict[str, np.ndarray]:
    arrays = {}
    for position, name in enumerate(names):
        tensor = onnx.TensorProto.FromString((data / f"{kind}_{position}.pb").read_bytes())
        arrays[name] = onnx.numpy_helper.to_array(tensor)
    return arrays
