"""Well-formed files whose tensors, quantisation or connections make no sense."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.campaigns.damage.kind import Kind
from tests.support.tflite.writer import ModelWriter

_IMAGE = (1, 4, 4, 2)
_DEEP = 2000


def _relus(*, count: int = 1, names: str = "t{}") -> tuple[ModelWriter, list[int]]:
    """A chain of RELUs and its tensors."""
    writer = ModelWriter()
    tensors = [writer.tensor(names.format(i), _IMAGE, scale=0.1) for i in range(count + 1)]
    for source, target in zip(tensors, tensors[1:], strict=False):
        writer.operator("RELU", [source], target)
    return writer, tensors


def _chain(count: int, names: str = "t{}") -> Callable[[], bytes]:
    def content() -> bytes:
        writer, tensors = _relus(count=count, names=names)
        return writer.finish([tensors[0]], [tensors[-1]])

    return content


def _ends(inputs: Sequence[int], outputs: Sequence[int]) -> Callable[[], bytes]:
    """Three RELUs whose model has these of the four tensors at its ends."""

    def content() -> bytes:
        writer, tensors = _relus(count=3)
        return writer.finish([tensors[i] for i in inputs], [tensors[i] for i in outputs])

    return content


def _wired(*pairs: tuple[int, int]) -> Callable[[], bytes]:
    """RELUs from and to these of four tensors; the first is the input, the last the output."""

    def content() -> bytes:
        writer = ModelWriter()
        tensors = [writer.tensor(f"t{i}", _IMAGE, scale=0.1) for i in range(4)]
        for source, target in pairs:
            writer.operator("RELU", [tensors[source]], tensors[target])
        return writer.finish([tensors[0]], [tensors[3]])

    return content


def _constants(*, written: bool = False, entered: bool = False) -> bytes:
    writer = ModelWriter()
    c = writer.constant("c", np.zeros(_IMAGE, np.int8), scale=0.1)
    x = writer.tensor("x", _IMAGE, scale=0.1)
    y = writer.tensor("y", _IMAGE, scale=0.1)
    writer.operator("RELU", [x], c if written else y)
    inputs = [c] if entered else [x]
    return writer.finish(inputs, [c])


def _all_constant() -> bytes:
    writer = ModelWriter()
    x = writer.tensor("x", _IMAGE, scale=0.1)
    c = writer.constant("c", np.arange(32, dtype=np.int8).reshape(_IMAGE), scale=0.1)
    y, z = (writer.tensor(name, _IMAGE, scale=0.1) for name in "yz")
    writer.operator("RELU", [c], y)
    writer.operator("ADD", [x, y], z)
    return writer.finish([x], [z])


def _two_outputs() -> bytes:
    writer = ModelWriter()
    x, y, z = (writer.tensor(name, _IMAGE, scale=0.1) for name in "xyz")
    writer.operator("RELU", [x], (y, z))
    return writer.finish([x], [y, z])


def _shape(
    shape: Sequence[int], dtype: str = "int8", scale: Any = 0.1, **quantisation: Any
) -> Callable[[], bytes]:
    """A RELU over tensors of one shape, type and quantisation."""

    def content() -> bytes:
        writer = ModelWriter()
        x, y = (writer.tensor(n, shape, dtype, scale=scale, **quantisation) for n in "xy")
        writer.operator("RELU", [x], y)
        return writer.finish([x], [y])

    return content


def _scale(*scales: float, **quantisation: Any) -> Callable[[], bytes]:
    return _shape(_IMAGE, scale=scales, **quantisation)


def _types(source: str, target: str) -> Callable[[], bytes]:
    def content() -> bytes:
        writer = ModelWriter()
        x = writer.tensor("x", _IMAGE, source, scale=0.1)
        y = writer.tensor("y", _IMAGE, target, scale=0.1)
        writer.operator("RELU", [x], y)
        return writer.finish([x], [y])

    return content


def _ratio(source: float, target: float) -> Callable[[], bytes]:
    def content() -> bytes:
        writer = ModelWriter()
        x = writer.tensor("x", _IMAGE, scale=source)
        y = writer.tensor("y", _IMAGE, scale=target)
        writer.operator("RELU", [x], y)
        return writer.finish([x], [y])

    return content


GRAPHS: dict[str, Kind] = {
    "two operators in a circle": Kind(_wired((0, 3), (2, 1), (1, 2)), words=("nothing writes",)),
    "an operator that reads itself": Kind(_wired((0, 3), (1, 1)), words=("operator 1",)),
    "operators in the wrong order": Kind(
        _wired((2, 3), (1, 2), (0, 1)), words=("operators 0, 1", "nothing writes its input t2")
    ),
    "two producers": Kind(_wired((0, 1), (0, 1), (1, 3)), words=("operator 1", "written twice")),
    "a producer of the input": Kind(_wired((0, 1), (1, 0), (0, 3)), words=("operator 1",)),
    "a producer of a constant": Kind(lambda: _constants(written=True), words=("constant",)),
    "an input that is constant": Kind(lambda: _constants(entered=True), words=("constant",)),
    "an output that is constant": Kind(lambda: _constants()),
    "an output that nothing writes": Kind(_wired((0, 1), (1, 2)), words=("output",)),
    "an operator input that nothing writes": Kind(_wired((1, 2), (0, 3)), words=("t1",)),
    "an output that is an input": Kind(_ends([0], [0]), status=0),
    "an output given twice": Kind(_ends([0], [3, 3])),
    "an input given twice": Kind(_ends([0, 0], [3])),
    "an input that an operator writes": Kind(_ends([0, 1], [3]), words=("operator 0",)),
    "an unused input": Kind(_wired((0, 3)), status=0),
    "outputs in the middle": Kind(_ends([0], [1, 2, 3]), status=0),
    "two outputs of one operator": Kind(_two_outputs, words=("2 outputs",)),
    "an operator on constants only": Kind(_all_constant, status=0),
    "one name for all tensors": Kind(_chain(3, "same"), status=0),
    "no names": Kind(_chain(3, ""), status=0),
    "names with odd characters": Kind(_chain(3, "../a\n\0/{}"), status=0),
    "a name of 100,000 characters": Kind(_chain(1, "n" * 100_000 + "{}"), status=0),
    "a deep chain": Kind(_chain(_DEEP), status=0),
    "5,000 operators": Kind(_chain(5000), words=("at most 4096 operators",)),
    "an empty axis": Kind(_shape((1, 0, 4, 2)), words=("at least 1",)),
    "an empty batch": Kind(_shape((0, 4, 4, 2)), words=("at least 1",)),
    "a negative axis": Kind(_shape((1, -3, 4, 2)), words=("at least 1",)),
    "an unknown axis": Kind(_shape((1, -1, 4, 2)), words=("at least 1",)),
    "an unknown batch": Kind(_shape((-1, 4, 4, 2)), status=0),
    "the largest axis": Kind(_shape((1, 1, 1, 0x7FFFFFFF)), words=("at most",)),
    "sizes that overflow 64 bits": Kind(_shape((1 << 16,) * 5), words=("at most",)),
    "sizes that overflow to 0": Kind(_shape((1 << 16, 1 << 16, 1 << 16, 1 << 16))),
    "2^26 values and one": Kind(_shape((1, 1, (1 << 26) + 1, 1)), words=("at most",)),
    "a million items": Kind(_shape((1 << 20, 1, 1, 1)), words=("items", "4096")),
    "a million channels": Kind(_shape((1, 1, 1, 1 << 20)), words=("channels", "65536")),
    "a million rows": Kind(_shape((1, 1 << 20, 1, 1)), status=0),
    "no axes": Kind(_shape(()), status=0),
    "eight axes": Kind(_shape((1, 1, 1, 2, 1, 2, 1, 2)), status=0),
    "nine axes": Kind(_shape((1,) * 9), words=("at most 8 axes",)),
    "float32 throughout": Kind(_shape(_IMAGE, "float32", ()), words=("float32",)),
    "float16": Kind(_shape(_IMAGE, "float16"), words=("FLOAT16",)),
    "int4": Kind(_shape(_IMAGE, "int4"), words=("INT4",)),
    "int16": Kind(_shape(_IMAGE, "int16"), words=("int16",)),
    "strings": Kind(_shape(_IMAGE, "string"), words=("STRING",)),
    "complex numbers": Kind(_shape(_IMAGE, "complex64"), words=("COMPLEX64",)),
    "truth values": Kind(_shape(_IMAGE, "bool"), words=("bool",)),
    "one type in, another out": Kind(_types("int8", "uint8")),
    "a scale of 0": Kind(_scale(0.0), words=("positive finite",)),
    "a negative scale": Kind(_scale(-0.1), words=("positive finite",)),
    "a scale that is no number": Kind(_scale(float("nan")), words=("positive finite",)),
    "an infinite scale": Kind(_scale(float("inf")), words=("positive finite",)),
    "the smallest scale": Kind(_scale(1e-45), status=0),
    "the largest scale": Kind(_scale(3.4e38), status=0),
    "a scale 2^31 times the next": Kind(_ratio(2.0, 2.0**-31), words=("2^31",)),
    "a scale beyond float32 of the next": Kind(_ratio(3e38, 1e-38), words=("2^31",)),
    "a scale far below the next": Kind(_ratio(1e-38, 3e38), status=0),
    "a zero point below int8": Kind(_scale(0.1, zero_point=-129), words=("zero point",)),
    "a zero point above int8": Kind(_scale(0.1, zero_point=128), words=("zero point",)),
    "the largest zero point": Kind(_scale(0.1, zero_point=(1 << 63) - 1), words=("zero point",)),
    "several scales of an activation": Kind(_scale(0.1, 0.2), words=("per-tensor",)),
    "scales along no axis": Kind(_scale(0.1, 0.2, axis=77), words=("per-tensor",)),
}
