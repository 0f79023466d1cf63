"""Values that ONNX Runtime's float32 sums may round to the other side, counted layer by layer.

Without optimisation ONNX Runtime computes a product between DequantizeLinear and QuantizeLinear in
float32, in an order of its own. The golden model sums integers and rounds the real number. The two
agree wherever that number is farther from a rounding edge, halfway between two stored values, than
float32 sums in any order can err by; nearer to it the result may be one step off. Steps of 16-bit
outputs are so small that the error can span several edges, and the result be as many steps off.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from compiler.ir.ops import Array, Conv, Node
from numerics.gemmlowp import Ints
from numerics.quantisation import Requant, RoundingRule
from sim.golden.convolution import conv_accumulate

Doubles = npt.NDArray[np.float64]

_UNIT = 2.0**-24  # the relative error of one float32 rounding
_SPARE = 8  # roundings besides the sum's: of operands, scales, bias
_CHUNK = 1 << 22  # values held at a time
_FEW = 16  # one value of so many is few: their windows are then gathered one by one


@dataclass
class Edges:
    """What such values were found.

    Attributes
    ----------
    values : how many, by layer name
    steps : how many steps of the output one of them may be off at most, by layer name
    """

    values: Counter[str] = field(default_factory=Counter)
    steps: dict[str, int] = field(default_factory=dict)

    def add(self, node: Conv, x: Array, psums: Ints) -> None:
        """Counts the values of a layer.

        x: the layer's input, any number of images; psums: [N, E, F, M], its sums without bias.
        """
        images = x.reshape(-1, *node.image)
        step = max(1, _CHUNK // max(psums[0].size, images[0].size))
        for first in range(0, len(images), step):
            part = slice(first, first + step)
            off = edge_steps(node, images[part], psums[part])
            self.values[node.name] += int((off > 0).sum())
            self.steps[node.name] = max(self.steps.get(node.name, 0), int(off.max(initial=0)))


def has_edges(node: Node) -> bool:
    """Whether a layer imitates float32 sums, so that it may have such values."""
    if not isinstance(node, Conv) or not node.float_sums:
        return False
    return isinstance(node.stage, Requant) and node.stage.rounding is RoundingRule.ORT


def edge_steps(node: Conv, images: Array, psums: Ints) -> Ints:
    """By how many steps the outputs [N, E, F, M] may be off, 0 for those far from an edge."""
    stage = node.stage
    assert isinstance(stage, Requant)
    bias = node.bias + stage.offset
    added = np.abs(bias) if node.float_magnitude is None else node.float_magnitude
    real = (psums + bias) * stage.scale
    ends = stage.low - stage.zero_point, stage.high - stage.zero_point
    centred = np.abs(images.astype(np.int64) - node.input_zero_point)
    weights = np.abs(node.weights.astype(np.int64) - node.weight_zero_point.reshape(-1, 1, 1, 1))

    def reach(magnitude: Array, at: tuple[Ints, ...] | tuple[()] = ()) -> Ints:
        """The steps that follow from sums of magnitudes.

        Stored values that the bound reaches are clamped first: where all of them are one value,
        the side does not matter.
        """
        channel = at[3] if at else slice(None)
        size = magnitude + np.broadcast_to(added, len(weights))[channel]
        scale = np.broadcast_to(stage.scale, len(weights))[channel]
        sums = (weights[0].size + _SPARE) * _UNIT * size * scale
        edge = np.floor(real[at]) + 0.5
        bound = sums + 4 * _UNIT * np.abs(edge) + _UNIT
        lowest = np.clip(np.ceil(real[at] - bound - 0.5), *ends)
        highest = np.clip(np.floor(real[at] + bound + 0.5), *ends)
        here = np.clip(np.rint(real[at]), *ends)
        return np.asarray(np.maximum(highest - here, here - lowest), dtype=np.int64)

    found = reach(_at_most(node, centred, weights))
    candidates = np.nonzero(found)
    if len(candidates[0]) * _FEW > found.size:
        return reach(_accumulated(node, centred, weights))
    found[candidates] = reach(_gathered(node, centred, weights, candidates), candidates)
    return found


def _at_most(node: Conv, x: Ints, weights: Ints) -> Doubles:
    """No less than the sum of |x||w| over each window: the product of the two factors' norms."""
    squares = (x * x).reshape(*x.shape[:3], node.groups, -1).sum(axis=-1)
    ones = np.ones((node.groups, *weights.shape[1:3], 1), dtype=np.int64)
    norms = np.sqrt(_accumulated(node, squares, ones).astype(np.float64))
    filters = np.sqrt((weights * weights).sum(axis=(1, 2, 3)).astype(np.float64))
    # A product of rounded roots may fall short by some units of float64's last place.
    products = norms.repeat(len(weights) // node.groups, axis=-1) * filters
    return np.asarray(products * (1 + 2.0**-40))


def _accumulated(node: Conv, x: Ints, weights: Ints) -> Ints:
    """Sums of the products over each window, of operands that are centred already."""
    return conv_accumulate(
        x,
        weights,
        stride=node.stride,
        pad=node.pad,
        dilation=node.dilation,
        groups=node.groups,
    )


def _gathered(node: Conv, x: Ints, weights: Ints, at: tuple[Ints, ...]) -> Ints:
    """The same at some outputs [N, E, F, M] alone."""
    M, R, S, C = weights.shape
    top, left, bottom, right = node.pad
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    taps = np.arange(R) * node.dilation[0], np.arange(S) * node.dilation[1]
    result = np.empty(len(at[0]), dtype=np.int64)
    step = max(1, _CHUNK // weights[0].size)
    for first in range(0, len(result), step):
        n, e, f, m = (axis[first : first + step] for axis in at)
        rows = (e * node.stride[0])[:, None] + taps[0]
        columns = (f * node.stride[1])[:, None] + taps[1]
        channels = (m // (M // node.groups) * C)[:, None] + np.arange(C)
        windows = padded[
            n[:, None, None, None],
            rows[:, :, None, None],
            columns[:, None, :, None],
            channels[:, None, None, :],
        ]
        result[first : first + step] = (windows * weights[m]).sum(axis=(1, 2, 3))
    return result
