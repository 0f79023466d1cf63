"""Resource variables step by step beside TensorFlow Lite Micro, and what is refused of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import load_model
from compiler.ir.ops import Place
from hw.arch.errors import RowforgeError
from tests.support.tflite.checking import Built, check_steps
from tests.support.tflite.layers import LayerWriter
from tests.support.tflite.variables import handle_of, initialised, joined
from tests.support.tflite.writer import Habits

SHAPE = (1, 4, 3, 2)


def ring(kept: int, axis: int, *, initial: bool) -> Callable[[LayerWriter], Built]:
    def build(layers: LayerWriter) -> Built:
        x = layers.activation(SHAPE, zero_point=-7)
        return [x], joined(layers, x, kept, axis=axis, initial=initial)

    return build


def _values(layers: LayerWriter) -> np.ndarray:
    return layers.random.integers(-128, 128, SHAPE).astype(np.int8)


def read(layers: LayerWriter, name: str, like: int) -> int:
    """READ_VARIABLE through a handle of its own."""
    handle = handle_of(layers.writer, name)
    return layers.writer.operator("READ_VARIABLE", [handle], layers.like(like, SHAPE))


def assign(layers: LayerWriter, name: str, value: int) -> None:
    layers.writer.operator("ASSIGN_VARIABLE", [handle_of(layers.writer, name), value], [])


def the_input_before(layers: LayerWriter) -> Built:
    """What is assigned is the model's input itself, and the output what was read."""
    x = layers.activation(SHAPE)
    before = read(layers, "last", x)
    assign(layers, "last", x)
    return [x], layers.binary("ADD", before, x)


def read_again(layers: LayerWriter) -> Built:
    """A variable is read before and after it is assigned in the same step, by three handles."""
    x = layers.activation(SHAPE)
    before = read(layers, "sum", x)
    total = layers.writer.operator("RELU", [before], layers.like(x, SHAPE))
    turned = layers.concat([total, x], 1)
    half = layers.activation(SHAPE, scale=layers.scale_of(x), zero_point=0)
    layers.writer.operator("ADD", [x, total], half)
    assign(layers, "sum", half)
    after = read(layers, "sum", x)
    return [x], layers.concat([turned, after], 1)


def written_before_it_is_read(layers: LayerWriter) -> Built:
    """Such a variable carries nothing; another one does."""
    x = layers.activation(SHAPE)
    before = read(layers, "last", x)
    assign(layers, "last", x)
    assign(layers, "scratch", before)
    return [x], layers.binary("ADD", x, read(layers, "scratch", x))


def never_assigned_by_a_step(layers: LayerWriter) -> Built:
    """CALL_ONCE gives a variable its value, and no step another."""
    x = layers.activation(SHAPE)
    initialised(layers.writer, "table", _values(layers))
    return [x], layers.binary("ADD", x, read(layers, "table", x))


def exchanged(layers: LayerWriter) -> Built:
    """Two variables change places every step; one of them gets the input in between."""
    x = layers.activation(SHAPE)
    initialised(layers.writer, "left", _values(layers))
    left, right = read(layers, "left", x), read(layers, "right", x)
    assign(layers, "left", right)
    assign(layers, "right", x)
    return [x], layers.concat([left, right], 3)


def enlarged_and_kept(layers: LayerWriter) -> Built:
    """A variable keeps an enlarged map that otherwise only a pointwise layer reads."""
    x = layers.activation((1, 3, 2, 4))
    small = layers.conv(x, 8, (1, 1))
    large = layers.like(small, (1, 6, 4, 8))
    size = layers.writer.constant("size", np.asarray((6, 4), np.int32))
    layers.writer.operator("RESIZE_NEAREST_NEIGHBOR", [small, size], large)
    handle = handle_of(layers.writer, "last")
    before = layers.like(large, layers.shape(large))
    layers.writer.operator("READ_VARIABLE", [handle], before)
    assign(layers, "last", large)
    return [x], layers.binary("ADD", layers.conv(large, 8, (1, 1)), layers.conv(before, 8, (1, 1)))


def constant_assigned(layers: LayerWriter) -> Built:
    """Every step leaves the same constant, the first one finds another value."""
    x = layers.activation(SHAPE)
    initialised(layers.writer, "c", _values(layers))
    before = read(layers, "c", x)
    value = layers.writer.constant("value", _values(layers), scale=layers.scale_of(x), zero_point=0)
    assign(layers, "c", value)
    return [x], layers.binary("ADD", x, before)


BUILDS: dict[str, Callable[[LayerWriter], Built]] = {
    "initial": ring(3, 1, initial=True),
    "zero point": ring(2, 2, initial=False),
    "longer than the input": ring(9, 1, initial=False),
    **{
        build.__name__: build
        for build in (
            the_input_before,
            read_again,
            written_before_it_is_read,
            never_assigned_by_a_step,
            exchanged,
            constant_assigned,
            enlarged_and_kept,
        )
    },
}


@pytest.mark.parametrize("name", BUILDS)
def test_steps_equal_the_interpreters(name: str, tmp_path: Path) -> None:
    layers = LayerWriter(len(name))
    inputs, output = BUILDS[name](layers)
    assert isinstance(output, int)
    graph = check_steps(layers, inputs, output, tmp_path)
    carried = [graph.tensors[state.read].name for state in graph.states]
    assert len(set(carried)) == len(carried) == {"exchanged": 2}.get(name, 1)


def test_operators_of_variables_cost_nothing(tmp_path: Path) -> None:
    layers = LayerWriter(3)
    inputs, output = exchanged(layers)
    assert isinstance(output, int)
    graph = check_steps(layers, inputs, output, tmp_path, 2)
    rows = [row for node in graph.nodes for row in ((node.op, node.place), *_absorbed(node))]
    told = dict(rows)
    names = ("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE")
    assert {told[name] for name in names} == {Place.FOLDED}
    assert sum(op == "ASSIGN_VARIABLE" for op, _ in rows) == 2


def _absorbed(node: object) -> list[tuple[str, Place]]:
    return [(op, Place.FOLDED) for _, op, _ in node.absorbs]  # type: ignore[attr-defined]


# ---- refusals -----------------------------------------------------------------------------------


def bare_handle(layers: LayerWriter) -> Built:
    inputs, output = the_input_before(layers)
    layers.writer._operators[0].options.clear()
    return inputs, output


def unassigned(layers: LayerWriter) -> Built:
    x = layers.activation(SHAPE)
    return [x], layers.binary("ADD", x, read(layers, "nothing", x))


def no_handle(layers: LayerWriter) -> Built:
    x = layers.activation(SHAPE)
    stray = layers.writer.tensor("stray", (), "resource")
    return [x], layers.writer.operator("READ_VARIABLE", [stray], layers.like(x, SHAPE))


def other_size(layers: LayerWriter) -> Built:
    x = layers.activation(SHAPE)
    before = read(layers, "last", x)
    assign(layers, "last", layers.concat([x, before], 1))
    return [x], before


def other_type(layers: LayerWriter) -> Built:
    x = layers.activation(SHAPE)
    initialised(layers.writer, "last", np.zeros(SHAPE, np.int16))
    before = read(layers, "last", x)
    assign(layers, "last", x)
    return [x], before


def late_call(layers: LayerWriter) -> Built:
    x = layers.activation(SHAPE)
    before = read(layers, "last", x)
    assign(layers, "last", x)
    initialised(layers.writer, "last", _values(layers))
    return [x], before


def computed_initial(layers: LayerWriter) -> Built:
    x = layers.activation(SHAPE)
    number, inner = layers.writer.subgraph()
    constant = inner.constant("c", _values(layers), scale=0.1, zero_point=0)
    value = inner.tensor("value", SHAPE, scale=0.1, zero_point=0)
    inner.operator("RELU", [constant], value)
    inner.operator("ASSIGN_VARIABLE", [handle_of(inner, "last"), value], [])
    layers.writer.operator("CALL_ONCE", [], [], InitSubgraphIndex=number)
    return [x], read(layers, "last", x)


def unknown_initial(layers: LayerWriter) -> Built:
    x = layers.activation(SHAPE)
    number, inner = layers.writer.subgraph()
    value = inner.tensor("value", SHAPE, scale=0.1, zero_point=0)
    inner.operator("ASSIGN_VARIABLE", [handle_of(inner, "last"), value], [])
    layers.writer.operator("CALL_ONCE", [], [], InitSubgraphIndex=number)
    return [x], read(layers, "last", x)


def no_subgraph(layers: LayerWriter) -> Built:
    x = layers.activation(SHAPE)
    layers.writer.operator("CALL_ONCE", [], [], InitSubgraphIndex=4)
    return [x], layers.unary("RELU", x, rescaled=False)


def own_subgraph(layers: LayerWriter) -> Built:
    x = layers.activation(SHAPE)
    layers.writer.operator("CALL_ONCE", [], [])
    return [x], layers.unary("RELU", x, rescaled=False)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (bare_handle, "it names no variable, or gives no handle"),
        (unassigned, "nothing ever assigns nothing, which it reads"),
        (no_handle, "no VAR_HANDLE gives the variable that it names"),
        (other_size, "has 24 values of INT8, but last has 48 of INT8"),
        (other_type, "values of INT16, but last has 24 of INT8"),
        (late_call, "it initialises last after an operator that uses it"),
        (computed_initial, "operator 0 of its subgraph 1 is RELU"),
        (unknown_initial, "its subgraph 1 assigns value, which is no constant"),
        (no_subgraph, "CALL_ONCE names subgraph 4 of 1"),
        (own_subgraph, "CALL_ONCE names subgraph 0 of 1"),
    ],
)
def test_variables_without_a_meaning_are_refused(
    build: Callable[[LayerWriter], Built], words: str, tmp_path: Path
) -> None:
    layers = LayerWriter(4)
    inputs, output = build(layers)
    assert isinstance(output, int)
    path = tmp_path / "model.tflite"
    path.write_bytes(layers.finish(inputs, [output], Habits()))
    with pytest.raises(RowforgeError) as refused:
        load_model(path)
    assert words in str(refused.value)
