"""A random model file with inputs, and the formats that such files come in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from compiler.ir.graph import Graph
from tests.support.onnx.layerwise import LayerFindings

Array = NDArray[Any]
Feature = tuple[str, str]


@dataclass(frozen=True)
class Case:
    """A model with the arrays of its inputs, in the file's order, and what it exercises.

    Everything follows from the format and `SEED:INDEX`. `further` are the inputs of the steps after
    the first, for a model that keeps something from step to step.
    """

    label: str
    content: bytes
    inputs: tuple[Array, ...]
    features: frozenset[Feature]
    further: tuple[tuple[Array, ...], ...] = ()


@dataclass(frozen=True)
class Format:
    """A file format: how a case is made, what computes the outputs that it must have, and a table.

    `make` gets seed and index; `oracle` returns the outputs in the file's order, `steps` those of
    consecutive inferences; `wanted` lists by group what a full campaign must show. `other_level`
    computes them at the interpreter's other optimisation level, or says why that cannot run; what
    it changes is counted. `layers` gets the graph, a case's content and inputs, and compares every
    tensor given the interpreter's own operands; what differs for a proven reason of the
    interpreter's own is listed there.
    """

    suffix: str
    make: Callable[[int, int], Case]
    oracle: Callable[[bytes, Sequence[Array]], list[Array]]
    wanted: dict[str, tuple[str, ...]]
    other_level: Callable[[bytes, Sequence[Array]], list[Array] | str] | None = None
    layers: Callable[[Graph, bytes, Sequence[Array]], LayerFindings] | None = None
    steps: Callable[[bytes, Sequence[Sequence[Array]]], list[list[Array]]] | None = None
