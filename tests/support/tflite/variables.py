"""Resource variables of a model file, and the subgraphs that give them initial values."""

import numpy as np

from tests.support.tflite.layers import LayerWriter
from tests.support.tflite.writer import ModelWriter


def joined(
    layers: LayerWriter, source: int, kept: int, *, axis: int = 1, initial: bool = True
) -> int:
    """A tensor after the last `kept` slices of it and its predecessors along an axis.

    A variable of its own keeps them. With `initial` a CALL_ONCE gives it random values at first;
    else it begins at the tensor's zero point.
    """
    writer, shape = layers.writer, list(layers.shape(source))
    name = f"ring of {source}: {len(writer.operators)}"
    count, shape[axis] = shape[axis], kept
    if initial:
        values = layers.random.integers(-128, 128, shape).astype(np.int8)
        initialised(writer, name, values)
    handle = handle_of(writer, name)
    before = writer.operator("READ_VARIABLE", [handle], layers.like(source, shape))
    whole = layers.concat([before, source], axis)
    begin, end = [0] * len(shape), list(shape)
    begin[axis], end[axis] = count, count + kept
    limits = (begin, end, [1] * len(shape))
    slices = [writer.constant("limit", np.asarray(limit, np.int32)) for limit in limits]
    after = writer.operator("STRIDED_SLICE", [whole, *slices], layers.like(source, shape))
    writer.operator("ASSIGN_VARIABLE", [handle, after], [])
    return whole


def handle_of(writer: ModelWriter, name: str) -> int:
    """A new handle to the variable of this name."""
    handle = writer.tensor(f"handle of {name}", (), "resource")
    return writer.operator("VAR_HANDLE", [], handle, SharedName=name)


def initialised(writer: ModelWriter, name: str, values: np.ndarray) -> None:
    """CALL_ONCE of a subgraph of its own, which assigns values to a variable."""
    number, inner = writer.subgraph()
    constant = inner.constant("initial", values)
    inner.operator("ASSIGN_VARIABLE", [handle_of(inner, name), constant], [])
    writer.operator("CALL_ONCE", [], [], InitSubgraphIndex=number)
