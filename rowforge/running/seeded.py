"""Layers of random data with given shares of zeros: `sparse_values`, `seeded_layer`."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.ir.graph import Graph
from compiler.ir.ops import Conv
from compiler.workloads.layers import layer_graph
from numerics.gemmlowp import Ints
from rowforge.running.crop import Workload
from sim.golden.convolution import accumulate, finish

Array = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class Shares:
    """Shares of zeros, 0 to 1, of a layer's input and output."""

    input: float
    output: float


def sparse_values(shape: tuple[int, ...], data_width: int, zeros: float, seed: int) -> Array:
    """Random integers of `data_width` bits of which each is zero with the probability `zeros`.

    All others are equally likely to be any value but zero.
    """
    rng = np.random.default_rng([seed, data_width])
    limits = np.iinfo(f"int{data_width}")
    values = rng.integers(limits.min, limits.max, shape, dtype=limits.dtype)
    values += values >= 0
    values[rng.random(shape, dtype=np.float32) < zeros] = 0
    return values


def share_of_zeros(values: NDArray[Any]) -> float:
    """How many of the values are zero, as a share."""
    return float(1 - np.count_nonzero(values) / values.size)


def seeded_layer(work: Workload, shares: Shares, seed: int) -> tuple[Graph, Array]:
    """(the layer as a network of its own, its input), the same for the same seed.

    Weights cover the whole range of their type. Outputs are clamped at zero, and each channel has
    the bias with which its outputs have the share of zeros, to the nearest output.

    Parameters
    ----------
    work : its psums wrap modulo 2^psum_width
    shares : of zeros
    seed : of all random values
    """
    config = work.config
    width = config.array.data_width
    graph = layer_graph(
        work.shape.name, [work.shape], data_width=width, batch=work.batch, seed=seed
    )
    (node,) = graph.nodes
    assert isinstance(node, Conv)
    values = sparse_values(graph.tensors[graph.inputs[0]].shape, width, shares.input, seed)
    clamped = replace(node, stage=replace(node.stage, low=0))
    psums = accumulate(clamped, values, config.array.psum_width)
    biased = replace(clamped, bias=_bias(clamped, psums.reshape(-1, work.shape.M), shares.output))
    return replace(graph, nodes=(biased,)), values


def _bias(node: Conv, psums: Ints, zeros: float) -> Ints:
    """Biases for which a share of each channel's outputs is zero; psums [positions, M]."""
    count = round(zeros * len(psums))
    ordered = np.sort(psums, axis=0)
    # The first psum that must not become zero, and one more than all of them if none is left.
    first = ordered[count] if count < len(psums) else ordered[-1] + 1
    bias: Ints = _least_positive(node) - first
    return bias


def _least_positive(node: Conv) -> int:
    """The least sum of psum and bias whose output is above zero."""
    plain = replace(node, bias=np.zeros_like(node.bias))
    low, high = 0, 1 << 31
    while high - low > 1:
        middle = (low + high) // 2
        outputs = finish(plain, np.full((1, 1, 1, len(node.bias)), middle, dtype=np.int64))
        low, high = (low, middle) if outputs.all() else (middle, high)
    return high
