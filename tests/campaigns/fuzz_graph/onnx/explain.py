"""Whether ONNX Runtime's float32 sums account for a difference.

A stored value that differs is accounted for if both sides are neighbours, ours is what the real
number rounds to (but for the few factors that the accelerator holds as float32 numbers), and the
rounding edge between them lies within the proven bound of ONNX Runtime's sum; a float value if
each side lies within its bound of the real number. Nothing else is, and nothing where ONNX
Runtime's bound is 0.
"""

from typing import Any

import numpy as np
import onnx

from tests.support.onnx.bounds import MOVES, UNIT, Array, Bounded, Evaluator, along_axis

_ON_INTEGERS = (*MOVES, "MaxPool")  # operators on stored values that select some of them


def accounted(evaluator: Evaluator, name: str, ours: Array, theirs: Array) -> Array:
    """For each value of a tensor whether its difference has that reason; True where none is."""
    equal = np.asarray(ours == theirs)
    if ours.dtype == np.float32:
        found = evaluator.bounded(name)
        if found is None or not found.product:
            return equal
        near = np.abs(theirs - found.real) <= found.error
        right = np.abs(ours - found.real) <= found.own
        return np.asarray(equal | (near & right & (found.error > 0)))
    after, last = _rounding_before(evaluator, name)
    if last is None:
        return equal
    found = evaluator.bounded(last.input[0])
    if found is None or not found.product:
        return equal
    for node in reversed(after):
        found = _selected(evaluator, node, found)
    scale = along_axis(last, evaluator.values[last.input[1]], ours.ndim).astype(np.float64)
    zero: Array | float = 0.0
    if len(last.input) > 2 and last.input[2]:
        zero = along_axis(last, evaluator.values[last.input[2]], ours.ndim).astype(np.float64)
    return np.asarray(equal | _at_an_edge(found, scale, zero, ours, theirs))


def _at_an_edge(
    found: Bounded, scale: Array, zero: Array | float, ours: Array, theirs: Array
) -> Array:
    first, second = ours.astype(np.int64), theirs.astype(np.int64)
    if ours.dtype.itemsize > 1:
        held = np.iinfo(ours.dtype)
        return _within_bounds(found, scale, zero, first, second, held)
    edge = np.minimum(first, second) - zero + 0.5
    # The division by the scale rounds too, unless the scale is a power of two.
    division = np.where(np.frexp(scale)[0] == 0.5, 0.0, 2 * UNIT * np.abs(edge))
    bound = found.error / scale + division
    beyond = np.where(first > second, edge - found.real / scale, found.real / scale - edge)
    near = (np.abs(beyond) <= bound) & (bound > 0)
    right = beyond <= found.own / scale + 4 * UNIT * np.abs(edge)
    return np.asarray((np.abs(first - second) == 1) & near & right)


def _within_bounds(
    found: Bounded,
    scale: Array,
    zero: Array | float,
    ours: Array,
    theirs: Array,
    held: "np.iinfo[np.integer[Any]]",
) -> Array:
    """The same of 16 bits, where a bound may span several edges.

    Both sides are clamped to the values that are `held`, so the real number is, too: clamping
    brings no two numbers farther apart.
    """
    real = found.real / scale + zero
    division = np.where(np.frexp(scale)[0] == 0.5, 0.0, 2 * UNIT * np.abs(real))
    bound = found.error / scale + division
    own = found.own / scale + 4 * UNIT * np.abs(real) + 0.5
    real = np.clip(real, held.min, held.max)
    between = np.sign(ours - theirs) == np.sign(real - theirs)
    near = (np.abs(theirs - real) <= bound + 0.5) & (bound > 0)
    return np.asarray(near & between & (np.abs(ours - real) <= own))


def _rounding_before(
    evaluator: Evaluator, name: str
) -> tuple[list[onnx.NodeProto], onnx.NodeProto | None]:
    """The QuantizeLinear that stored values come from, and what selects some of them after it."""
    after: list[onnx.NodeProto] = []
    while (node := evaluator.writers.get(name)) is not None:
        if node.op_type == "QuantizeLinear":
            return after, node
        if node.op_type not in (*_ON_INTEGERS, "Clip"):
            break
        after.append(node)
        name = node.input[0]
    return after, None


def _selected(evaluator: Evaluator, node: onnx.NodeProto, found: Bounded) -> Bounded:
    """As the operator on stored values does; the edges inside a Clip stay where they are."""
    if node.op_type == "Clip":
        return found
    if node.op_type == "MaxPool":
        parts = (found.real, found.error, np.broadcast_to(found.own, found.real.shape))
        real, error, own = (evaluator.pooled(node, array) for array in parts)
        grain = np.full(real.shape, np.min(found.grain))
        return Bounded(real, error, grain, own, found.product)
    rest = [evaluator.values[name] for name in node.input[1:]]
    parts = (found.real, found.error, found.grain, np.broadcast_to(found.own, found.real.shape))
    return Bounded(*(evaluator.applied(node, array, *rest) for array in parts), found.product)
