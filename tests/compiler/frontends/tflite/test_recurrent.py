"""SVDF and UNIDIRECTIONAL_SEQUENCE_LSTM step by step beside TensorFlow Lite Micro."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compiler.frontends import load_model
from compiler.ir.ops import Conv
from hw.arch.errors import RowforgeError
from tests.support.tflite.checking import Built, check_steps
from tests.support.tflite.layers import RELU, LayerWriter
from tests.support.tflite.recurrent import lstm, svdf


def memory(items: int = 1, depth: int = 20, **options: Any) -> Callable[[LayerWriter], Built]:
    def build(layers: LayerWriter) -> Built:
        x = layers.activation((items, depth))
        return [x], svdf(layers, x, 12, options.get("times", 5), **options)

    return build


def sequence(*shape: int, units: int = 9, **options: Any) -> Callable[[LayerWriter], Built]:
    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape)
        return [x], lstm(layers, x, units, **options)

    return build


def shared_memory(layers: LayerWriter) -> Built:
    """Two SVDFs in turn move on one memory."""
    inputs, first = memory()(layers)
    writer = layers.writer
    entry = writer._operators[-1]
    second = layers.activation((1, 12), scale=layers.scale_of(first))
    writer._operators.append(replace(entry, outputs=(second,)))
    return inputs, layers.binary("ADD", first, second)


BUILDS: dict[str, Callable[[LayerWriter], Built]] = {
    "svdf of int8": memory(rank=2),
    "svdf of int16": memory(dtype="int16"),
    "svdf of several items": memory(items=3, rank=3),
    "svdf with a zero point that wraps": memory(state_zero_point=9, depth=7),
    "svdf without an activation of its own": memory(activation=RELU),
    "svdf twice": shared_memory,
    "lstm of one time": sequence(1, 1, 20),
    "lstm of several times": sequence(1, 5, 6),
    "lstm of several items": sequence(3, 4, 6),
    "lstm with time first": sequence(4, 3, 6, time_major=True),
    "lstm with clip": sequence(1, 3, 8, clip=0.4),
    "lstm with fine cells": sequence(1, 2, 8, power=-15),
    "lstm with coarse cells": sequence(1, 2, 8, power=-2),
    "lstm with cells of no power of two": sequence(1, 2, 8, power=-10.3),
}


@pytest.mark.parametrize("name", BUILDS)
def test_steps_equal_the_interpreters(name: str, tmp_path: Path) -> None:
    layers = LayerWriter(len(name))
    inputs, output = BUILDS[name](layers)
    assert isinstance(output, int)
    graph = check_steps(layers, inputs, output, tmp_path, 9)
    assert len(graph.states) == (2 if name.startswith("lstm") else 1)
    assert any(isinstance(node, Conv) for node in graph.nodes)  # on the array


# ---- refusals -----------------------------------------------------------------------------------

Change = Callable[[LayerWriter], None]


def tensor(position: int, **changes: Any) -> Change:
    """An input of the last operator with other properties."""

    def change(layers: LayerWriter) -> None:
        index = layers.writer._operators[-1].inputs[position]
        entries = layers.writer._tensors
        entries[index] = replace(entries[index], **changes)

    return change


def without(position: int) -> Change:
    """The last operator without an input."""

    def change(layers: LayerWriter) -> None:
        entry = layers.writer._operators[-1]
        inputs = (*entry.inputs[:position], -1, *entry.inputs[position + 1 :])
        layers.writer._operators[-1] = replace(entry, inputs=inputs)

    return change


def linked(position: int, other: int) -> Change:
    """The last operator with one input twice."""

    def change(layers: LayerWriter) -> None:
        entry = layers.writer._operators[-1]
        inputs = [*entry.inputs]
        inputs[position] = inputs[other]
        layers.writer._operators[-1] = replace(entry, inputs=tuple(inputs))

    return change


def option(**values: Any) -> Change:
    def change(layers: LayerWriter) -> None:
        layers.writer._operators[-1].options.update(values)

    return change


def refused(build: Callable[[LayerWriter], Built], change: Change, folder: Path) -> str:
    layers = LayerWriter(2)
    inputs, output = build(layers)
    change(layers)
    assert isinstance(output, int)
    (folder / "model.tflite").write_bytes(layers.finish(inputs, [output]))
    with pytest.raises(RowforgeError) as error:
        load_model(folder / "model.tflite")
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (tensor(4, variable=False), "its memory memory is not a variable tensor"),
        (linked(4, 0), "its memory a0 is not a variable tensor"),
        (tensor(4, shape=(1, 59)), "its memory has shape [1, 59], not 60 values"),
        (tensor(4, type_name="INT16"), "its memory has type int16, its time weights int8"),
        (tensor(1, zero_point=(3,)), "must have one positive scale and zero point 0"),
        (tensor(1, scale=(0.1,) * 12, zero_point=(0,) * 12), "must have one positive scale"),
        (tensor(1, shape=(20, 12)), "its feature weights have shape [20, 12], not [12, 20]"),
        (tensor(3, scale=(0.5,)), "its bias has scale 0.5, memory and time weights give"),
        (tensor(3, shape=(3, 4)), "an int32 bias for each of 12 outputs is expected"),
        (without(3), "it has no bias"),
        (option(Rank=5), "its rank 5 does not divide 12 filters"),
        (option(Rank=0), "its rank 0 does not divide 12 filters"),
    ],
)
def test_memories_that_make_no_sense_are_refused(
    change: Change, words: str, tmp_path: Path
) -> None:
    assert words in refused(memory(), change, tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (linked(9, 1), "it has peepholes"),
        (linked(16, 5), "it has a projection"),
        (linked(20, 12), "it has layer normalisation"),
        (without(1), "it has no weights of the input gate"),
        (without(18), "it has no hidden state"),
        (tensor(18, variable=False), "its hidden state hidden is not a variable tensor"),
        (tensor(19, type_name="INT8"), "its tensor cell has type int8"),
        (tensor(19, scale=(8.0,)), "the scale 8 of its cell is out of range"),
        (tensor(14, shape=(1, 9)), "its bias of the cell gate has type int32 and shape [1, 9]"),
        (tensor(6, shape=(81, 1)), "its weights of the forget gate have shape [81, 1]"),
        (option(FusedActivationFunction=RELU), "the activation of its cell is not TANH"),
        (option(CellClip=float("nan")), "its cell clip nan is no limit"),
    ],
)
def test_lstms_that_micro_does_not_have_are_refused(
    change: Change, words: str, tmp_path: Path
) -> None:
    assert words in refused(sequence(1, 2, 6), change, tmp_path)


def test_a_scalar_is_no_matrix_of_weights(tmp_path: Path) -> None:
    said = refused(sequence(1, 2, 1, units=1), tensor(2, shape=()), tmp_path)
    assert "weights of the input gate have shape [1, 1], not [0, 1]" in said
