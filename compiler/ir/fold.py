"""Folding: operators that need no work of their own once their neighbours know about them.

A folded node stays in the graph with its reason, so that reports name it and dumps can recompute
its output; whoever read its output reads its input instead.
"""

from dataclasses import replace

import numpy as np

from compiler.ir.graph import Graph
from compiler.ir.ops import RELABELLED, Conv, HostStep, Node, Pad, Pool, Reshape
from compiler.ir.padding import needs_stored_padding, stored_padding


def fold(graph: Graph) -> Graph:
    """Pads into convolutions, reshapes into whatever reads them; values stay the same."""
    return stored_padding(fold_pads(fold_reshapes(graph)))


def fold_reshapes(graph: Graph) -> Graph:
    """Every reshape is a relabelling: convolutions and pools read the tensor before it.

    A fully connected layer after a flattened image becomes one window over that image, its
    weights [M, 1, 1, H*W*C] seen as [M, H, W, C].
    """
    nodes: list[Node] = []
    before: dict[str, str] = {}
    for node in graph.nodes:
        if isinstance(node, Reshape):
            source = before.get(node.inputs[0], node.inputs[0])
            before[node.output] = source
            nodes.append(replace(node, folded=node.folded or RELABELLED))
        elif isinstance(node, Conv | Pool) and node.inputs[0] in before:
            source = before[node.inputs[0]]
            moved = replace(node, inputs=(source,))
            if isinstance(moved, Conv):
                moved = _as_whole_window(moved, graph.tensors[source].shape)
            nodes.append(moved)
        else:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _as_whole_window(node: Conv, shape: tuple[int, ...]) -> Conv:
    """A 1 x 1 layer over one flat vector as a window over the image that vector came from."""
    flat = node.image[:2] == (1, 1) and node.weights.shape[1:3] == (1, 1)
    whole = len(shape) == 4 and shape[0] == 1 and int(np.prod(shape)) == node.image[2]
    if not (flat and whole and node.groups == 1 and not any(node.pad)):
        return node
    image = (shape[1], shape[2], shape[3])
    weights = node.weights.reshape(node.weights.shape[0], *image)
    return replace(node, image=image, weights=weights, stride=(1, 1), dilation=(1, 1))


def fold_pads(graph: Graph) -> Graph:
    """Spatial padding with the input zero point becomes padding of the convolutions after it."""
    nodes = list(graph.nodes)
    for index, node in enumerate(nodes):
        if not isinstance(node, Pad) or node.output in graph.sinks:
            continue
        readers = [
            i
            for i, other in enumerate(nodes)
            if node.output in other.inputs and not (isinstance(other, HostStep) and other.folded)
        ]
        absorbed = [_absorb(nodes[i], node, graph) for i in readers]
        if readers and all(conv is not None for conv in absorbed):
            for i, conv in zip(readers, absorbed, strict=True):
                assert conv is not None
                nodes[i] = conv
            nodes[index] = replace(node, folded="the padding of the convolution that reads it")
    return replace(graph, nodes=tuple(nodes))


def _absorb(reader: Node, pad: Pad, graph: Graph) -> Conv | None:
    """The convolution with the padding as its own, or None where that would change values."""
    shape = graph.tensors[pad.inputs[0]].shape
    padded = graph.tensors[pad.output].shape
    if not isinstance(reader, Conv) or len(shape) != 4 or reader.image != padded[1:]:
        return None
    if needs_stored_padding(reader, graph.tensors[pad.output].dtype):
        return None
    if pad.value != reader.input_zero_point or any(pad.pads[0]) or any(pad.pads[3]):
        return None
    (top, bottom), (left, right) = pad.pads[1:3]
    own = reader.pad
    return replace(
        reader,
        inputs=pad.inputs,
        image=(shape[1], shape[2], shape[3]),
        pad=(own[0] + top, own[1] + left, own[2] + bottom, own[3] + right),
    )
