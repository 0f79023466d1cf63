"""What a QDQ model with one level of operators means in real numbers, worked out in float64.

Its integers are dequantised without rounding and the float operators computed by ONNX's reference
implementation in float64. Stages with an offset must round that number itself; ONNX Runtime, which
adds up float32 numbers, may differ from it only where it lies within float32's error of an edge.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from compiler.ir.graph import Graph
from compiler.ir.ops import Conv
from numerics.quantisation import Requant
from sim.golden import run_graph
from tests.support.onnx.models import feeds_for, graph_of, oracle

UNIT = 2.0**-24  # the relative error of one float32 rounding
_MOVED_IN_FIXED_POINT = 2.0**-30  # relative: a multiplier of 31 bits, an addend of one unit


def check_exact(
    model: onnx.ModelProto, folder: Path, rng: np.random.Generator, *, affine: bool = True
) -> Graph:
    """Every output is the real number rounded half to even, and ONNX Runtime's but for edges."""
    graph = graph_of(model, folder)
    stages = [n.stage for n in graph.nodes if isinstance(n, Conv) and isinstance(n.stage, Requant)]
    assert any(stage.affine for stage in stages) == affine
    feeds = feeds_for(model, rng)
    ours, theirs = run_graph(graph, feeds), oracle(model, feeds, optimised=False)
    for value, reference in zip(model.graph.output, theirs, strict=True):
        actual = ours[value.name]
        assert (actual.dtype, actual.shape) == (reference.dtype, reference.shape)
        _compare(model, feeds, value.name, actual, reference, affine)
    return graph


def _compare(
    model: onnx.ModelProto,
    feeds: dict[str, np.ndarray],
    name: str,
    ours: np.ndarray,
    theirs: np.ndarray,
    affine: bool,
) -> None:
    held = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    last = next(node for node in model.graph.node if name in node.output)
    assert last.op_type == "QuantizeLinear"
    scale, zero = (held[n].astype(np.float64) for n in last.input[1:3])
    real = _evaluated(model, feeds, last.input[0], magnitudes=False) / scale
    size = _evaluated(model, feeds, last.input[0], magnitudes=True) / scale
    limits = np.iinfo(ours.dtype)
    meant = np.clip(np.rint(real) + zero, limits.min, limits.max)
    distance = np.abs(real - np.floor(real) - 0.5)
    error = (_terms(model, held) + 8) * UNIT * size + 4 * UNIT * np.abs(real) + UNIT
    rounded = _MOVED_IN_FIXED_POINT * (1 + np.abs(real)) if affine else error
    assert not np.any((ours != meant) & (distance > rounded))
    assert not np.any((ours != theirs) & (distance > error))
    assert np.all(np.abs(ours.astype(int) - theirs.astype(int)) <= 1)
    assert len(np.unique(ours)) > 2, "the outputs say nothing"


def _terms(model: onnx.ModelProto, held: dict[str, np.ndarray]) -> int:
    """Products of the largest sum: no weight tensor has more values of one filter."""
    return max((value.size for value in held.values() if value.ndim > 1), default=1)


def _evaluated(
    model: onnx.ModelProto, feeds: dict[str, np.ndarray], name: str, *, magnitudes: bool
) -> np.ndarray:
    """A float tensor in float64; with `magnitudes` all that it was added up from, made positive."""
    held = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    known: dict[str, Any] = {**held, **feeds}
    nodes = []
    for node in model.graph.node:
        if node.op_type in ("DequantizeLinear", "Clip") and node.input[0] in known:
            made = _dequantised(node, known) if node.op_type[0] == "D" else _clipped(node, known)
            known[node.output[0]] = made
        elif node.op_type == "QuantizeLinear" and node.input[0] in known:
            known[node.output[0]] = _quantised(node, known)
        elif node.op_type != "QuantizeLinear":
            nodes.append(_magnitude(node) if magnitudes else node)
    signs = {n.input[3]: -1.0 for n in nodes if n.op_type == "BatchNormalization"}
    fed = {}
    for key in {n for node in nodes for n in node.input if n in known}:
        value = known[key]
        if value.dtype.kind == "f":
            value = value.astype(np.float64)
            value = np.abs(value) * signs.get(key, 1.0) if magnitudes else value
        fed[key] = value
    kinds = {"f": TensorProto.DOUBLE, "i": TensorProto.INT64}
    given = [helper.make_tensor_value_info(k, kinds[v.dtype.kind], v.shape) for k, v in fed.items()]
    graph = helper.make_graph(nodes, "real", given, [onnx.ValueInfoProto(name=name)])
    # The reference's BatchNormalization of operator sets below 14 takes the input's own statistics.
    small = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return np.asarray(ReferenceEvaluator(small).run([name], fed)[0], dtype=np.float64)


def _magnitude(node: onnx.NodeProto) -> onnx.NodeProto:
    """The operator as it acts on magnitudes: nothing cancels, nothing is cut off."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    if node.op_type == "Sub":
        copy.op_type = "Add"
    if node.op_type in ("Relu", "Clip"):
        copy.op_type = "Identity"
        del copy.input[1:], copy.attribute[:]
    for attribute in copy.attribute:
        if node.op_type == "Gemm" and attribute.name in ("alpha", "beta"):
            attribute.f = abs(attribute.f)
    return copy


def _along(node: onnx.NodeProto, value: np.ndarray, rank: int) -> np.ndarray:
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    shape = [1] * rank
    if value.size > 1:
        shape[axis] = value.size
    return value.astype(np.float64).reshape(shape if rank else ())


def _parameters(node: onnx.NodeProto, known: dict[str, Any], rank: int) -> list[Any]:
    zero = known[node.input[2]] if len(node.input) > 2 and node.input[2] else np.zeros(1)
    return [_along(node, part, rank) for part in (known[node.input[1]], zero)]


def _dequantised(node: onnx.NodeProto, known: dict[str, Any]) -> np.ndarray:
    """Without rounding, but for numbers that are a bias: float32 is what they are added as."""
    value = known[node.input[0]]
    scale, zero = _parameters(node, known, value.ndim)
    return (value.astype(np.float64) - zero) * scale


def _quantised(node: onnx.NodeProto, known: dict[str, Any]) -> np.ndarray:
    value = known[node.input[0]]
    scale, zero = _parameters(node, known, value.ndim)
    dtype = known[node.input[2]].dtype if len(node.input) > 2 else np.dtype(np.uint8)
    ratio = (value.astype(np.float32) / scale.astype(np.float32)).astype(np.float64)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(ratio) + zero, limits.min, limits.max).astype(dtype)


def _clipped(node: onnx.NodeProto, known: dict[str, Any]) -> np.ndarray:
    return np.clip(known[node.input[0]], *(known[name] for name in node.input[1:3]))
