"""Compares a run with the golden model and says where the first difference was computed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compiler.nest.locate import locate
from compiler.removal.rewrite import EXPAND
from hw.arch.errors import RowforgeError
from hw.arch.program import Host, Layer, Program

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Difference:
    """The first value of a run that is not the golden model's.

    `coordinate` counts in the tensor's own shape; `place` names pass and PE, and is empty for a
    layer that the array does not compute. `wrong` of the layer's `total` values differ. `only_in`
    names the run that is wrong where the run with every layer brought to the host was right.
    """

    item: int
    layer: str
    tensor: str
    coordinate: tuple[int, ...]
    expected: int | float
    actual: int | float
    place: str
    wrong: int
    total: int
    only_in: str = ""

    def __str__(self) -> str:
        at = ", ".join(str(index) for index in self.coordinate)
        where = f" ({self.place})" if self.place else ""
        return (
            f"input {self.item}, layer {self.layer}, output [{at}] of {self.tensor}{where}: "
            f"expected {self.expected}, actual {self.actual}; "
            f"{self.wrong} of {self.total} values of the layer differ" + self._only()
        )

    def _only(self) -> str:
        if not self.only_in:
            return ""
        return f"; only in the {self.only_in}: with every layer brought to the host all are equal"


def first_difference(
    program: Program, item: int, actual: Mapping[int, Array], expected: Mapping[str, Array]
) -> tuple[Difference | None, int]:
    """The first difference in the order of layers, and how many layers were compared.

    Parameters
    ----------
    program : Program
    item : number of the input, for the message
    actual : host tensors of the run by index
    expected : tensors of the golden model by key
    """
    compared = 0
    for layer in program.layers:
        if layer.output not in actual or program.tensors[layer.output].key not in expected:
            continue
        compared += 1
        found = _compare(program, item, layer, actual[layer.output], expected)
        if found is not None:
            return found, compared
    return None, compared


def _compare(
    program: Program, item: int, layer: Layer, ours: Array, expected: Mapping[str, Array]
) -> Difference | None:
    spec = program.tensors[layer.output]
    golden = expected[spec.key].reshape(spec.shape)
    wrong = ours != golden
    if ours.dtype.kind == "f":
        wrong &= ~(np.isnan(ours) & np.isnan(golden))
    if not wrong.any():
        return None
    first = int(np.flatnonzero(wrong)[0])
    return Difference(
        item=item,
        layer=layer.name,
        tensor=spec.name,
        coordinate=_unravel(first, spec.shape),
        expected=golden.reshape(-1)[first].item(),
        actual=ours.reshape(-1)[first].item(),
        place=_place(program, layer, _unravel(first, spec.view)),
        wrong=int(wrong.sum()),
        total=wrong.size,
    )


def _unravel(index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(index, shape))


def _place(program: Program, layer: Layer, coordinate: tuple[int, ...]) -> str:
    """Pass and PE that finished a value, empty for a layer that no CONV command computes."""
    if layer.where != "array":
        return f"computed on the {layer.where}" if layer.where == "host" else ""
    computed = _computed(program, layer, coordinate)
    if computed is None:
        return "a removed channel, which nothing computes"
    try:
        places = locate(program.config, layer, computed)
    except RowforgeError:
        return "vector engine"
    return str(places[-1]) if places else ""


def _computed(
    program: Program, layer: Layer, coordinate: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Where the array computes a value of a tensor that lost channels; None: nowhere."""
    for step in program.steps:
        if isinstance(step, Host) and step.op == EXPAND and layer.output in step.outputs:
            kept = list(step.attributes["kept"])
            *place, channel = coordinate
            return (*place, kept.index(channel)) if channel in kept else None
    return coordinate
