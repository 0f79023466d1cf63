"""Small ONNX models made for tests, and ONNX Runtime as their oracle."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from compiler.frontends import load_model
from compiler.ir.graph import Graph
from sim.golden import run_graph

TYPES = {
    "float32": TensorProto.FLOAT,
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int16": TensorProto.INT16,
    "uint16": TensorProto.UINT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
}


@dataclass
class ModelMaker:
    """Collects operators; every method that adds one returns the name of its output."""

    opset: int = 13
    nodes: list[Any] = field(default_factory=list)
    initializers: list[Any] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def input(self, name: str, shape: tuple[Any, ...], dtype: str = "float32") -> str:
        self.inputs.append(helper.make_tensor_value_info(name, TYPES[dtype], shape))
        return name

    def constant(self, value: np.ndarray, name: str = "") -> str:
        name = name or f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def op(self, op_type: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any):
        number = len(self.nodes)
        names = [f"t{number}" if not i else f"t{number}_{i}" for i in range(outputs)]
        self.nodes.append(
            helper.make_node(op_type, inputs, names, f"n{number}", domain=domain, **attributes)
        )
        return names[0]

    def scale(self, scale: float, zero_point: int, dtype: str) -> tuple[str, str]:
        return (
            self.constant(np.float32(scale)),
            self.constant(np.asarray(zero_point, dtype=dtype)),
        )

    def quantise(self, x: str, q: tuple[float, int, str]) -> str:
        return self.op("QuantizeLinear", x, *self.scale(*q), domain=self._domain(q))

    def dequantise(self, x: str, q: tuple[float, int, str]) -> str:
        return self.op("DequantizeLinear", x, *self.scale(*q), domain=self._domain(q))

    def _domain(self, q: tuple[float, int, str]) -> str:
        """ONNX's own operators take 16 bits since operator set 21, ONNX Runtime's before."""
        return "com.microsoft" if self.opset < 21 and q[2] in ("int16", "uint16") else ""

    def requantise(self, x: str, q: tuple[float, int, str]) -> str:
        """QuantizeLinear and DequantizeLinear, as quantisers put them after every operator."""
        return self.dequantise(self.quantise(x, q), q)

    def model(self, *outputs: str) -> onnx.ModelProto:
        values = [onnx.ValueInfoProto(name=name) for name in outputs]
        graph = helper.make_graph(self.nodes, "g", self.inputs, values, self.initializers)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets)
        model.ir_version = 8
        return onnx.shape_inference.infer_shapes(model)


def unchecked(maker: ModelMaker, *outputs: str) -> onnx.ModelProto:
    """The model without shape inference, which fails for operators that do not fit."""
    values = [onnx.ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph(maker.nodes, "g", maker.inputs, values, maker.initializers)
    opsets = [helper.make_opsetid("", maker.opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def save(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def graph_of(model: onnx.ModelProto, folder: Path) -> Graph:
    return load_model(save(model, folder))


def oracle(
    model: onnx.ModelProto, feeds: dict[str, np.ndarray], *, optimised: bool
) -> list[np.ndarray]:
    """ONNX Runtime on one thread, its 8-bit kernels exact on every CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = (
        levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
    )
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)


def feeds_for(model: onnx.ModelProto, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random inputs over the whole range of integer types, normal floats."""
    feeds = {}
    for value in model.graph.input:
        shape = [dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim]
        dtype = next(n for n, code in TYPES.items() if code == value.type.tensor_type.elem_type)
        if dtype == "float32":
            feeds[value.name] = (3 * rng.standard_normal(shape)).astype(np.float32)
        else:
            info = np.iinfo(dtype)
            feeds[value.name] = rng.integers(info.min, info.max + 1, shape).astype(dtype)
    return feeds


def check(
    model: onnx.ModelProto,
    folder: Path,
    rng: np.random.Generator,
    *,
    levels: tuple[bool, ...] = (False, True),
) -> Graph:
    """Every output equals ONNX Runtime's, at these optimisation levels, in every bit."""
    graph = graph_of(model, folder)
    feeds = feeds_for(model, rng)
    ours = run_graph(graph, feeds)
    for optimised in levels:
        expected = oracle(model, feeds, optimised=optimised)
        for value, reference in zip(model.graph.output, expected, strict=True):
            actual = ours[value.name]
            assert actual.dtype == reference.dtype
            assert actual.shape == reference.shape
            np.testing.assert_array_equal(actual, reference, f"optimised={optimised}")
    return graph


def places(graph: Graph) -> dict[str, str]:
    """Where every node is served, by its operator type; the last one of a type counts."""
    return {node.op: node.place.value for node in graph.nodes}
