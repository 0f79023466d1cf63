"""What float operators between DequantizeLinear and QuantizeLinear compute in real numbers.

ONNX Runtime without optimisation computes them in float32 and rounds at every step. Here the same
operators are evaluated in float64 from the stored integers, together with a proven bound of what
float32 can err by, whatever the order of additions. `grain` is a power of two that divides every
number which took part: where a sum of magnitudes stays within 2^24 grains, no float32 step rounds
and the bound is 0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator

from tests.support.onnx.models import oracle

Array = NDArray[Any]

UNIT = 2.0**-24  # the relative error of one float32 rounding
PRODUCTS = ("Conv", "Gemm", "MatMul")
OWN = 6 * UNIT  # relative: factors and constants that are float32 numbers
MOVES = ("Dropout", "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose")
_HELD = 2.0**24  # a float32 number holds so many grains
_DOUBLE = 2.0**-40  # relative to a sum of magnitudes: what float64 may leave where all cancels


@dataclass(frozen=True)
class Bounded:
    """Real numbers, the most that float32 numbers differ from them by, and their grain.

    `own` is the most that numbers may differ by whose products are added up as integers: only a
    few factors and constants are rounded then. `product` says whether a product took part: a sum
    of stored values alone has no excuse.
    """

    real: Array
    error: Array
    grain: Array
    own: Array | float = 0.0
    product: bool = False

    @property
    def most(self) -> Array:
        """The largest magnitude that a float32 number may have."""
        return np.abs(self.real) + self.error


def grain_of(values: Array) -> Array:
    """The largest power of two that divides each float32 number, infinite for 0."""
    mantissa, exponent = np.frexp(np.asarray(values, np.float64))
    whole = np.abs(mantissa * _HELD).astype(np.int64)
    return np.where(whole == 0, np.inf, np.ldexp((whole & -whole).astype(float), exponent - 24))


class Evaluator:
    """The float tensors of a model with bounds, from ONNX Runtime's own stored integers.

    `values` holds every tensor that ONNX Runtime computed, constants and inputs.
    """

    def __init__(self, model: onnx.ModelProto, values: Mapping[str, Array]) -> None:
        self.model = model
        self.values = values
        self.writers = {name: node for node in model.graph.node for name in node.output}
        self._given = {t.name for t in model.graph.initializer}
        self._inputs = {v.name for v in model.graph.input} - self._given
        self._known: dict[str, Bounded | None] = {}
        self._fixed: dict[str, bool] = {}

    def fixed(self, name: str) -> bool:
        """Whether no input of the model has an effect on a tensor."""
        if name not in self._fixed:
            writer = self.writers.get(name)
            if writer is None:
                self._fixed[name] = name not in self._inputs
            else:
                self._fixed[name] = all(self.fixed(n) for n in writer.input if n)
        return self._fixed[name]

    def bounded(self, name: str) -> Bounded | None:
        """A float tensor with its bound; None where something else takes part in it."""
        if name not in self._known:
            self._known[name] = self._evaluated(name)
        return self._known[name]

    def _evaluated(self, name: str) -> Bounded | None:
        writer = self.writers.get(name)
        if writer is None or writer.op_type == "Constant":
            return self._constant(name) if self.fixed(name) else None
        if writer.op_type == "DequantizeLinear":
            return self._dequantised(writer)
        make = _MAKERS.get(writer.op_type)
        if make is None or (writer.op_type in ("Add", "Sub") and self._joins(writer)):
            return None
        operands = [self._operand(writer, n) for n in range(len(writer.input))]
        if any(operand is _UNKNOWN for operand in operands):
            return None
        return make(self, writer, operands)

    def _operand(self, writer: onnx.NodeProto, position: int) -> Any:
        """A float operand with its bound, the plain value of another one, None if absent."""
        name = writer.input[position]
        if not name:
            return None
        if self.values[name].dtype != np.float32:
            return self.values[name]
        found = self.bounded(name)
        return _UNKNOWN if found is None else found

    def _joins(self, writer: onnx.NodeProto) -> bool:
        """Whether an Add or Sub takes two activations, which has to be exact."""
        return not any(self.fixed(name) for name in writer.input)

    def _constant(self, name: str) -> Bounded:
        value = self.values[name].astype(np.float64)
        return Bounded(value, np.zeros_like(value), grain_of(value))

    def _dequantised(self, node: onnx.NodeProto) -> Bounded:
        stored = self.values[node.input[0]].astype(np.float64)
        scale = along_axis(node, self.values[node.input[1]], stored.ndim).astype(np.float64)
        if len(node.input) > 2 and node.input[2]:
            stored = stored - along_axis(node, self.values[node.input[2]], stored.ndim)
        real = stored * scale
        grain = np.broadcast_to(grain_of(scale), real.shape)
        return _settled(real, 2 * UNIT * np.abs(real), np.abs(real), grain)

    def pooled(self, node: onnx.NodeProto, array: Array) -> Array:
        """MaxPool or GlobalMaxPool; the reference implementation's sizes are not always right."""
        if node.op_type == "GlobalMaxPool":
            return np.asarray(array.max(axis=tuple(range(2, array.ndim)), keepdims=True))
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        del copy.input[:], copy.output[:]
        copy.input.append("i")
        copy.output.append("o")
        given = helper.make_tensor_value_info("i", onnx.TensorProto.DOUBLE, array.shape)
        graph = helper.make_graph([copy], "one", [given], [onnx.ValueInfoProto(name="o")])
        small = helper.make_model(graph, opset_imports=self.model.opset_import, ir_version=8)
        return np.asarray(oracle(small, {"i": array}, optimised=False)[0])

    def applied(self, node: onnx.NodeProto, *arrays: Array | None) -> Array:
        """One operator of the model on other arrays, by the reference implementation."""
        names = [f"i{n}" if array is not None else "" for n, array in enumerate(arrays)]
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        del copy.input[:], copy.output[:]
        copy.input.extend(names)
        copy.output.append("o")
        given = [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for n, a in zip(names, arrays, strict=True)
            if a is not None
        ]
        graph = helper.make_graph([copy], "one", given, [onnx.ValueInfoProto(name="o")])
        small = helper.make_model(graph, opset_imports=self.model.opset_import)
        fed = {n: a for n, a in zip(names, arrays, strict=True) if a is not None}
        return np.asarray(ReferenceEvaluator(small).run(None, fed)[0])


_UNKNOWN: Any = object()


def along_axis(node: onnx.NodeProto, parameter: Array, rank: int) -> Array:
    """A scale or zero point of each slice in a shape that broadcasts against the tensor."""
    if parameter.size == 1:
        return parameter.reshape(())
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1) % rank
    return parameter.reshape([-1 if n == axis else 1 for n in range(rank)])


def _settled(
    real: Array, error: Array, most: Array, grain: Array, *, inherited: Array | float = 0.0
) -> Bounded:
    """With the bound 0 where nothing rounds: exact operands, and magnitudes within 2^24 grains."""
    exact = (np.asarray(inherited) == 0) & (most <= _HELD * grain)
    return Bounded(
        real, np.where(exact, 0.0, inherited + error), np.broadcast_to(grain, real.shape)
    )


def _gamma(terms: float) -> float:
    """Of a sum of so many products in blocks of any order, a few roundings of factors besides."""
    return (terms + terms // 64 + 6) * UNIT * 1.001


def _conv(evaluator: Evaluator, node: onnx.NodeProto, operands: list[Any]) -> Bounded:
    x, w, b = (*operands, None)[:3]
    M, rank = w.real.shape[0], w.real.ndim
    column = (1, M, *(1,) * (rank - 2))
    real = evaluator.applied(node, x.real, w.real, None if b is None else b.real)
    plain = evaluator.applied(node, np.abs(x.real), np.abs(w.real), None)
    most = evaluator.applied(node, x.most, w.most, None)
    inherited = np.maximum(most - plain, 0)
    grain = np.min(x.grain) * np.min(w.grain.reshape(M, -1), axis=1)
    if b is not None:
        most = most + b.most.reshape(column)
        inherited = inherited + b.error.reshape(column)
        grain = np.minimum(grain, b.grain)
    error = _gamma(w.real.size / M + 1) * most
    settled = _settled(real, error, most, grain.reshape(column), inherited=inherited)
    added: Array | float = 0.0 if b is None else np.abs(b.real.reshape(column))
    own = OWN * (np.abs(real) + 2 * added) + _DOUBLE * most
    return Bounded(real, settled.error, settled.grain, own, product=True)


def _attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    found = (a for a in node.attribute if a.name == name)
    return next((helper.get_attribute_value(a) for a in found), default)


def _gemm(evaluator: Evaluator, node: onnx.NodeProto, operands: list[Any]) -> Bounded:
    a, b, c = (*operands, None)[:3]
    a, b = (
        Bounded(side.real.T, side.error.T, side.grain.T) if _attribute(node, key, 0) else side
        for side, key in ((a, "transA"), (b, "transB"))
    )
    alpha, beta = (float(_attribute(node, key, 1.0)) for key in ("alpha", "beta"))
    return _matrix_product(a, b, c, alpha, beta)


def _matmul(evaluator: Evaluator, node: onnx.NodeProto, operands: list[Any]) -> Bounded:
    return _matrix_product(operands[0], operands[1], None, 1.0, 1.0)


def _matrix_product(a: Any, b: Any, c: Any, alpha: float, beta: float) -> Bounded:
    real, plain = alpha * (a.real @ b.real), np.abs(a.real) @ np.abs(b.real)
    sums = a.most @ b.most
    inherited = abs(alpha) * np.maximum(sums - plain, 0)
    grain = np.min(a.grain) * np.min(b.grain, axis=-2, keepdims=True)
    exact = (inherited == 0) & (sums <= _HELD * grain)
    most, grain = abs(alpha) * sums, grain * grain_of(np.asarray(alpha))
    if c is not None:
        real, most = real + beta * c.real, most + abs(beta) * c.most
        inherited = inherited + abs(beta) * c.error
        grain = np.minimum(grain, c.grain * grain_of(np.asarray(beta)))
    exact = exact & (inherited == 0) & (most <= _HELD * grain)
    error = np.where(exact, 0.0, inherited + _gamma(a.real.shape[-1] + 1) * most)
    own = OWN * (np.abs(real) + (0.0 if c is None else 2 * abs(beta) * np.abs(c.real)))
    own = own + _DOUBLE * most
    return Bounded(real, error, np.broadcast_to(grain, real.shape), own, product=True)


def _sum(evaluator: Evaluator, node: onnx.NodeProto, operands: list[Any]) -> Bounded:
    a, b = operands
    real = a.real + b.real if node.op_type == "Add" else a.real - b.real
    inherited = a.error + b.error
    error = UNIT * 1.001 * (np.abs(real) + inherited)
    grain = np.minimum(a.grain, b.grain)
    settled = _settled(real, error, np.abs(real), grain, inherited=inherited)
    constants = sum(np.abs(side.real) for side in operands if not side.product)
    own = a.own + b.own + OWN * (np.abs(real) + constants)
    return Bounded(real, settled.error, settled.grain, own, a.product or b.product)


def _normalised(evaluator: Evaluator, node: onnx.NodeProto, operands: list[Any]) -> Bounded:
    """ONNX Runtime's kernel folds the four parameters into a factor and an offset in float32."""
    x, gamma, beta, mean, variance = operands
    epsilon = np.float64(np.float32(_attribute(node, "epsilon", 1e-5)))
    column = (1, -1, *(1,) * (x.real.ndim - 2))
    deviation = np.sqrt(variance.real + epsilon)
    plain = (epsilon == 0) & (np.frexp(deviation)[0] == 0.5)  # dividing by it does not round
    factor = gamma.real / deviation
    shift = mean.real * factor
    grains = np.where(plain, grain_of(factor), 0.0)
    offset = _settled(
        beta.real - shift,
        UNIT * (10 * np.abs(beta.real) + 10 * np.abs(shift)),
        np.maximum(np.abs(shift), np.abs(beta.real - shift)),
        np.minimum(np.where(mean.real == 0, np.inf, grains * mean.grain), beta.grain),
    )
    scaled = np.abs(factor).reshape(column) * x.most
    real = x.real * factor.reshape(column) + offset.real.reshape(column)
    inherited = np.abs(factor).reshape(column) * x.error + offset.error.reshape(column)
    error = UNIT * (10 * scaled + 2 * offset.most.reshape(column))
    grain = np.minimum(x.grain * grains.reshape(column), offset.grain.reshape(column))
    most = scaled + offset.most.reshape(column)
    settled = _settled(real, error, most, grain, inherited=inherited)
    own = np.abs(factor).reshape(column) * x.own
    own = own + OWN * (np.abs(real) + 2 * np.abs(beta.real).reshape(column))
    own = own + OWN * 2 * np.abs(shift).reshape(column)
    return Bounded(real, settled.error, settled.grain, own, x.product)


def _clamped(evaluator: Evaluator, node: onnx.NodeProto, operands: list[Any]) -> Bounded:
    x, *bounds = operands
    edges = [bound for bound in bounds if bound is not None]
    named = [float(_attribute(node, key, np.nan)) for key in ("min", "max")]
    if node.op_type == "Relu":
        real = np.maximum(x.real, 0)
    else:
        low, high = (
            float(bounds[n].real) if n < len(bounds) and bounds[n] is not None else named[n]
            for n in (0, 1)
        )
        real = x.real if np.isnan(low) else np.maximum(x.real, low)
        real = real if np.isnan(high) else np.minimum(real, high)
    grain = x.grain
    for edge in [float(edge.real) for edge in edges] + [n for n in named if not np.isnan(n)]:
        grain = np.minimum(grain, grain_of(np.asarray(edge)))
    return Bounded(real, x.error, grain, x.own, x.product)


def _pooled(evaluator: Evaluator, node: onnx.NodeProto, operands: list[Any]) -> Bounded:
    """The largest of some numbers errs by no more than the one of them that errs most."""
    (x,) = operands
    parts = (x.real, x.error, np.broadcast_to(x.own, x.real.shape))
    real, error, own = (evaluator.pooled(node, array) for array in parts)
    return Bounded(real, error, np.full(real.shape, np.min(x.grain)), own, x.product)


def _padded(evaluator: Evaluator, node: onnx.NodeProto, operands: list[Any]) -> Bounded:
    x, pads, *rest = operands
    value = [array.real if isinstance(array, Bounded) else array for array in rest]
    real = evaluator.applied(node, x.real, pads, *value)
    nothing = [np.zeros_like(value[0])] if value else []
    error = evaluator.applied(node, x.error, pads, *nothing)
    own = evaluator.applied(node, np.broadcast_to(x.own, x.real.shape), pads, *nothing)
    grain = np.min([np.min(x.grain), *(np.min(grain_of(v)) for v in value)])
    return Bounded(real, error, np.full(real.shape, grain), own, x.product)


def _moved(evaluator: Evaluator, node: onnx.NodeProto, operands: list[Any]) -> Bounded:
    x, *rest = operands
    rest = [array.real if isinstance(array, Bounded) else array for array in rest]
    if node.op_type == "Dropout":
        return x
    parts = (x.real, x.error, x.grain, np.broadcast_to(x.own, x.real.shape))
    return Bounded(*(evaluator.applied(node, array, *rest) for array in parts), x.product)


def _joined(evaluator: Evaluator, node: onnx.NodeProto, operands: list[Any]) -> Bounded:
    arrays = [
        evaluator.applied(
            node, *(np.broadcast_to(getattr(o, part), o.real.shape) for o in operands)
        )
        for part in ("real", "error", "grain", "own")
    ]
    return Bounded(*arrays, product=any(operand.product for operand in operands))


_MAKERS: dict[str, Callable[[Evaluator, onnx.NodeProto, list[Any]], Bounded]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Add": _sum,
    "Sub": _sum,
    "BatchNormalization": _normalised,
    "Relu": _clamped,
    "Clip": _clamped,
    "MaxPool": _pooled,
    "GlobalMaxPool": _pooled,
    "Concat": _joined,
    "Pad": _padded,
    **dict.fromkeys(MOVES, _moved),
}
