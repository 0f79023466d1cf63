"""Padding that a 16-bit array cannot add: rows and columns of a zero point that is not 0.

Operands of 8 bits lose their zero point on the way to the array, where padding is 0. Operands of 16
bits have no bit left for that: the array reads stored values, and padding has to be stored too.
"""

from dataclasses import replace

from compiler.ir.graph import Graph, Tensor
from compiler.ir.ops import RELABELLED, Conv, Node, Pad, Reshape

WIDE = ("int16", "uint16")


def needs_stored_padding(node: Conv, dtype: str) -> bool:
    """Whether a convolution of an input of this type pads with what the array takes for no 0."""
    return dtype in WIDE and node.input_zero_point != 0


def stored_padding(graph: Graph) -> Graph:
    """The graph with a `Pad` before every convolution whose padding must be stored.

    Convolutions that pad one input alike share it.
    """
    padder = _Padder(graph)
    for node in graph.nodes:
        if isinstance(node, Conv) and any(node.pad):
            source = graph.tensors[node.inputs[0]]
            if needs_stored_padding(node, source.dtype):
                node = padder.unpadded(node, source)
        padder.nodes.append(node)
    return replace(graph, nodes=tuple(padder.nodes), tensors=padder.tensors)


class _Padder:
    """Collects the nodes and tensors of the graph that is made."""

    def __init__(self, graph: Graph) -> None:
        self.nodes: list[Node] = []
        self.tensors = dict(graph.tensors)
        self._made: dict[tuple[object, ...], str] = {}

    def unpadded(self, node: Conv, source: Tensor) -> Conv:
        """The convolution on an input that is padded already."""
        top, left, bottom, right = node.pad
        pads = ((0, 0), (top, bottom), (left, right), (0, 0))
        H, W, C = node.image
        image = (H + top + bottom, W + left + right, C)
        place = (source.key, node.batch, node.image, node.pad, node.input_zero_point)
        key = self._made.get(place)
        if key is None:
            key = self._made[place] = f"{source.key} padded for {node.name}"
            whole = self._as_images(node, source)
            self._declare(key, source, (node.batch, *image))
            self.nodes.append(
                Pad(
                    name=f"{node.name} input",
                    op="Pad",
                    inputs=(whole,),
                    output=key,
                    pads=pads,
                    value=node.input_zero_point,
                )
            )
        return replace(node, inputs=(key,), image=image, pad=(0, 0, 0, 0))

    def _as_images(self, node: Conv, source: Tensor) -> str:
        """The key of the input under the shape in which the convolution sees it."""
        shape = (node.batch, *node.image)
        if source.shape == shape:
            return source.key
        key = f"{source.key} as images for {node.name}"
        self._declare(key, source, shape)
        self.nodes.append(
            Reshape(
                name=f"{node.name} images",
                op="Reshape",
                inputs=(source.key,),
                output=key,
                folded=RELABELLED,
            )
        )
        return key

    def _declare(self, key: str, source: Tensor, shape: tuple[int, ...]) -> None:
        self.tensors[key] = replace(
            source, name=key, key=key, shape=shape, data=None, permutation=None, model_shape=None
        )
