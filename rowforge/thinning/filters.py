"""A graph with fewer filters: `without_filters`."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from compiler.ir.graph import Graph
from compiler.ir.ops import Conv
from hw.arch.errors import RowforgeError


def layers_with_filters(graph: Graph) -> dict[str, Conv]:
    """The layers that have filters, by name."""
    return {node.name: node for node in graph.nodes if isinstance(node, Conv)}


def chosen_layer(graph: Graph, name: str, option: str) -> Conv:
    """A layer with filters by its name; `RowforgeError` that names the option if there is none."""
    layers = layers_with_filters(graph)
    if name not in layers:
        raise RowforgeError(
            f"{option} must name a layer that has filters, not {name!r}; there are "
            f"{', '.join(layers) or 'none'}"
        )
    return layers[name]


def removed_filters(node: Conv, share: float, name: str) -> int:
    """How many filters a share of them is; `RowforgeError` for one that leaves none or is none."""
    filters = len(node.weights)
    count = round(share * filters) if 0 < share < 1 else filters
    if count == filters:
        raise RowforgeError(
            f"--prune must leave {name} some of its {filters} filters: its share must be above 0 "
            f"and below 1, not {share:g}"
        )
    return count


def without_filters(graph: Graph, shares: Mapping[str, float]) -> Graph:
    """The graph in which a share of the filters of some layers does nothing.

    The filters with the least sum of magnitudes are those that go: their weights and biases become
    the real number 0, and so do their channels. Tensors keep their shapes: it is the compiler that
    leaves such channels out, in these layers and in all that read them, as far as the network
    allows. A channel that is added to another layer's, for example, stays.

    Raises `RowforgeError` for a name that is no layer with filters, or a share that leaves none.
    """
    for name in shares:
        chosen_layer(graph, name, "--prune")
    nodes = tuple(
        _thinned(node, shares[node.name])
        if isinstance(node, Conv) and node.name in shares
        else node
        for node in graph.nodes
    )
    return replace(graph, nodes=nodes)


def _thinned(node: Conv, share: float) -> Conv:
    count = removed_filters(node, share, node.name)
    zero = np.broadcast_to(node.weight_zero_point, len(node.weights))
    real = node.weights.astype(np.int64) - zero[:, None, None, None]
    sums = np.abs(real).sum(axis=(1, 2, 3))
    gone = np.argsort(sums, kind="stable")[:count]
    weights, bias = node.weights.copy(), node.bias.copy()
    weights[gone] = zero[gone, None, None, None]
    bias[gone] = 0
    return replace(node, weights=weights, bias=bias)
