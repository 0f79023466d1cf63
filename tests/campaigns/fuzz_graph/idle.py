"""Idle channels: whole filters and whole input channels without weights, in a share of layers."""

import numpy as np
from numpy.typing import NDArray

from compiler.ir.graph import Graph
from compiler.removal.removal import without_idle_channels
from sim.golden import run_graph
from tests.campaigns.fuzz_graph.case import Array

_SHARE = 0.3  # of layers
_PARTS = (0.0, 0.3, 0.7, 1.0)  # of filters, and of channels
_PARTS_WEIGHTS = (0.4, 0.3, 0.2, 0.1)


def with_idle(
    random: np.random.Generator, values: Array, zero: int, filters: int, inputs: int | None
) -> tuple[Array, list[str]]:
    """The weights with some of them at their zero point, and what that shows.

    `filters` and `inputs` are the axes along which filters and input channels lie. All that is
    random comes from a stream of its own, so that whatever else is drawn stays what it was.
    """
    own = random.spawn(1)[0]
    shown = []
    if own.random() < _SHARE:
        values = values.copy()
        for axis, name in ((filters, "filters"), (inputs, "input channels")):
            if axis is not None and (gone := _chosen(own, values.shape[axis])).any():
                np.moveaxis(values, axis, 0)[gone] = zero
                shown.append(f"zero {name}")
    return values, shown


def _chosen(random: np.random.Generator, size: int) -> NDArray[np.bool_]:
    return np.asarray(random.random(size) < random.choice(_PARTS, p=_PARTS_WEIGHTS))


def removal_faults(graph: Graph, inputs: dict[str, Array], golden: dict[str, Array]) -> list[str]:
    """Tensors that the graph without idle channels gives otherwise, for either use of it."""
    faults = []
    for keep_all in (False, True):
        pruned = without_idle_channels(graph, lanes=1, keep_all=keep_all)
        if pruned.removed:
            values = run_graph(pruned.graph, inputs)
            wanted = golden if keep_all else graph.outputs
            faults += [key for key in wanted if not _equal(values[key], golden[key])]
    return faults


def _equal(actual: Array, expected: Array) -> bool:
    return np.array_equal(actual, expected, equal_nan=expected.dtype.kind == "f")
