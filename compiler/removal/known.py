"""Which channels of a graph's tensors hold one value known beforehand, whatever the input.

A channel is an index along a tensor's last axis. It is known where every value of the channel, at
every item and position, is the same number for every input of the model. Where padding meets a
layer's input, a known channel stays known only if padding has the channel's own value.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.ir.graph import Graph
from compiler.ir.ops import (
    Add,
    Array,
    Concat,
    Constant,
    Conv,
    Mul,
    Node,
    Pad,
    Pool,
    PoolKind,
    Rescale,
)
from compiler.removal.channels import by_channel, channels_of
from compiler.removal.products import borders, needed_bias, reads, tap_sums
from compiler.removal.stages import stage_values, sum_values

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

_MOST_BORDERS = 100  # forms of a window at the border; of more, only sums of 0 are looked at


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a tensor's channels.

    flags : bool [C], whether a channel holds one value
    values : int64 [C], that stored value; 0 where there is none
    """

    flags: Flags
    values: Ints

    @classmethod
    def nothing(cls, channels: int) -> "Known":
        """No channel of so many."""
        return cls(np.zeros(channels, dtype=bool), np.zeros(channels, dtype=np.int64))

    @classmethod
    def where(cls, flags: Flags, values: Array) -> "Known":
        """The channels of `flags` hold `values`."""
        return cls(flags, np.where(flags, values, 0).astype(np.int64))


def unpadded(node: Conv, known: Known) -> Flags:
    """Channels [C] of the input that are one value in every window, padding included."""
    if not any(node.pad):
        return known.flags
    return np.asarray(known.flags & (known.values == node.input_zero_point))


def known_channels(graph: Graph, psum_width: int | None) -> dict[str, Known]:
    """What is known of every tensor of a graph, by key.

    `psum_width` : bits to which psums wrap, None where they do not.
    """
    found: dict[str, Known] = {}
    for key, tensor in graph.tensors.items():
        found[key] = Known.nothing(channels_of(tensor))
        if tensor.data is not None and channels_of(tensor):
            found[key] = _of_data(tensor.data)
    for node in graph.nodes:
        tensor = graph.tensors[node.output]
        if isinstance(node, Constant) and channels_of(tensor):
            found[node.output] = _of_data(node.value.reshape(tensor.shape))
        elif by_channel(graph, node):
            operands = [found[key] for key in node.inputs]
            found[node.output] = _through(graph, node, operands, psum_width)
    return found


def _through(graph: Graph, node: Node, operands: list[Known], psum_width: int | None) -> Known:
    """What is known of a node's output."""
    match node:
        case Conv():
            return _conv(node, operands[0], psum_width)
        case Pool():
            return _pool(node, operands[0])
        case Add():
            return _joined(operands, lambda values: sum_values(node, *values))
        case Mul():
            return _mul(node, *operands)
        case Rescale():
            return _joined(
                operands,
                lambda values: stage_values(values[0] - node.input_zero_point, node.stage),
            )
        case Concat():
            return _concat(graph, node, operands)
        case Pad():
            return _pad(node, operands[0])
    raise TypeError(f"{node.name}: channels of {type(node).__name__} are not told apart")


def _of_data(data: Array) -> Known:
    rows = data.reshape(-1, data.shape[-1])
    return Known.where((rows == rows[0]).all(axis=0), rows[0])


def _conv(node: Conv, source: Known, psum_width: int | None) -> Known:
    """A filter is constant if every input channel that it reads is, and if padding does not show.

    Where padding differs from a channel's value, sums at the border do, too; a filter is constant
    nevertheless if its output stage makes one value of them all, as a ReLU often does.
    """
    flags = _follow(node, reads(node), source.flags)
    taps = tap_sums(node, source.values, source.flags, flags)
    rows, columns = borders(node)
    if len(rows) * len(columns) > _MOST_BORDERS:
        flags = flags & ~taps.any(axis=(1, 2))
        rows, columns = rows[:1], columns[:1]
    if not flags.any():
        return Known.nothing(len(flags))
    sums = np.einsum("ar,mrs,bs->abm", rows, taps, columns).reshape(-1, len(flags))
    values = [stage_values(needed_bias(node, each, psum_width), node.stage) for each in sums]
    return Known.where(flags & (np.array(values) == values[0]).all(axis=0), values[0])


def _follow(node: Conv, used: Flags, channels: Flags) -> Flags:
    """Filters [M] that read only these channels [C]; used: bool [M, C/G]."""
    of_filter = channels.reshape(node.groups, -1).repeat(len(used) // node.groups, axis=0)
    return np.asarray((of_filter | ~used).all(axis=1))


def _pool(node: Pool, source: Known) -> Known:
    """A window of one value has that value as maximum and as rounded average."""
    flags = source.flags
    if node.kind is PoolKind.AVERAGE and node.count_include_pad and any(node.pad):
        flags = flags & (source.values == node.pad_value)
    return Known.where(flags, np.clip(source.values, node.low, node.high))


def _joined(operands: list[Known], values: Callable[[list[Ints]], Ints]) -> Known:
    """A channel is known where it is so in all operands."""
    flags = np.logical_and.reduce([operand.flags for operand in operands])
    if not flags.any():
        return Known.nothing(len(flags))
    return Known.where(flags, values([operand.values for operand in operands]))


def _mul(node: Mul, a: Known, b: Known) -> Known:
    """A product is also known where one factor is the real number 0."""
    za, zb = node.zero_points
    zero = (a.flags & (a.values == za)) | (b.flags & (b.values == zb))
    products = np.where(zero, 0, (a.values - za) * (b.values - zb))
    return Known.where((a.flags & b.flags) | zero, stage_values(products, node.stage))


def _concat(graph: Graph, node: Concat, operands: list[Known]) -> Known:
    if node.axis == len(graph.tensors[node.output].shape) - 1:
        flags = np.concatenate([operand.flags for operand in operands])
        return Known(flags, np.concatenate([operand.values for operand in operands]))
    first = operands[0]
    same = [operand.flags & (operand.values == first.values) for operand in operands]
    return Known.where(np.logical_and.reduce(same), first.values)


def _pad(node: Pad, source: Known) -> Known:
    padded = any(any(pair) for pair in node.pads)
    flags = source.flags & (source.values == node.value) if padded else source.flags
    return Known.where(flags, source.values)
