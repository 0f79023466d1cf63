"""A layer that is given by its shape alone: `BareLayer`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from compiler.ir.graph import Graph
from compiler.ir.ops import Conv, Pads
from compiler.workloads.layers import LayerShape, layer_graph
from hw.arch.errors import RowforgeError

FIELDS = ("channels", "filters", "height", "width", "kernel", "stride")
"""Sizes of a shape, all at least 1."""


class LayerKind(StrEnum):
    """What a layer computes."""

    CONV = "conv"
    DEPTHWISE = "depthwise"
    FC = "fc"

    @property
    def needed(self) -> tuple[str, ...]:
        """Sizes that must be given."""
        return {
            LayerKind.CONV: ("channels", "filters", "height"),
            LayerKind.DEPTHWISE: ("channels", "height"),
            LayerKind.FC: ("channels", "filters"),
        }[self]

    @property
    def free(self) -> tuple[str, ...]:
        """Sizes that may be given besides."""
        return () if self is LayerKind.FC else ("width", "kernel", "stride")


class Padding(StrEnum):
    """How windows meet the border, in TensorFlow's words."""

    SAME = "same"
    VALID = "valid"


@dataclass(frozen=True, kw_only=True)
class BareLayer:
    """A layer without weights.

    Attributes
    ----------
    kind : LayerKind
    channels : of the input
    filters : of the output; those of the input for a depthwise layer
    height, width : of the input; both 1 for a fully connected layer
    kernel : rows and columns of the window
    stride : along both axes
    padding : Padding
    """

    kind: LayerKind
    channels: int
    filters: int
    height: int = 1
    width: int = 1
    kernel: int = 1
    stride: int = 1
    padding: Padding = Padding.SAME

    @classmethod
    def of(cls, kind: LayerKind, sizes: Mapping[str, int], padding: Padding) -> "BareLayer":
        """A shape from the sizes that its kind has; a width is the height where none is given.

        Windows are 3 x 3 and the stride is 1 where nothing is said.
        """
        if kind is LayerKind.FC:
            return cls(kind=kind, channels=sizes["channels"], filters=sizes["filters"])
        defaults = {"width": sizes["height"], "kernel": 3, "stride": 1}
        if kind is LayerKind.DEPTHWISE:
            defaults["filters"] = sizes["channels"]
        return cls(kind=kind, padding=padding, **{**defaults, **sizes})

    @property
    def name(self) -> str:
        """The sizes in a word."""
        window = f"{self.kernel}x{self.kernel}s{self.stride}{self.padding}"
        return f"{self.kind}_{self.height}x{self.width}x{self.channels}_{self.filters}_{window}"

    def graph(self, data_width: int) -> Graph:
        """A graph of this layer alone, with weights of zeros, and biases that differ.

        Raises `RowforgeError` if the window does not fit the input, or a size is too large for any
        graph.
        """
        if self.padding is Padding.VALID and self.kernel > min(self.height, self.width):
            raise RowforgeError(
                f"kernel must be at most {min(self.height, self.width)} with valid padding, the "
                f"input's smaller side, not {self.kernel}"
            )
        layer = LayerShape(
            self.name,
            H=self.height,
            W=self.width,
            C=self.channels,
            M=self.filters,
            R=self.kernel,
            stride=self.stride,
            pad=self.kernel // 2 if self.padding is Padding.SAME else 0,
            groups=self.channels if self.kind is LayerKind.DEPTHWISE else 1,
        )
        graph = layer_graph(self.name, [layer], data_width=data_width)
        (node,) = graph.nodes
        assert isinstance(node, Conv)
        # Channels with equal parameters would share them on the link; those of real layers differ.
        node = replace(node, pad=self._pads, bias=np.arange(1, self.filters + 1))
        output = replace(graph.tensors[node.output], shape=(1, *node.output_image))
        return replace(graph, nodes=(node,), tensors={**graph.tensors, node.output: output})

    @property
    def _pads(self) -> Pads:
        """Of an odd number of padding rows or columns, the last side has one more."""
        top, bottom = self._border(self.height)
        left, right = self._border(self.width)
        return top, left, bottom, right

    def _border(self, size: int) -> tuple[int, int]:
        if self.padding is Padding.VALID:
            return 0, 0
        last = (size - 1) // self.stride * self.stride  # where the last window's middle begins
        total = max(last + self.kernel - size, 0)
        return total // 2, total - total // 2
