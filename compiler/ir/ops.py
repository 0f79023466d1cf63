"""The kinds of node of the quantised graph.

Activations are NHWC. Weights are normalised to [M, R, S, C/G]: M filters of R x S taps over the
C/G channels of their group; filter m belongs to group m // (M/G). A node names its activation
tensors by key; weights and biases belong to the node.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from hw.arch.errors import RowforgeError
from numerics.quantisation import Requant, WindowStage
from numerics.windows import output_size

Array = npt.NDArray[Any]
Image = tuple[int, int, int]  # H, W, C
Pair = tuple[int, int]  # along y, along x
Pads = tuple[int, int, int, int]  # top, left, bottom, right

RELABELLED = "the same values under another shape"
"""Why a `Reshape` costs nothing."""


class Place(Enum):
    """Where a node is served."""

    ARRAY = "array"
    HOST = "host"
    FOLDED = "folded"


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """One operator of the model: `name` is its key there, `op` its type there.

    `folded` says why a node costs nothing (it is then kept only to report it and to recompute its
    output for a dump); it is empty for a node that must be served. `absorbs` lists (name, op,
    reason) of operators of the model that have no node of their own and are reported with this
    one: their work is part of it, or of none.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    output: str
    folded: str = ""
    absorbs: tuple[tuple[str, str, str], ...] = ()

    served_by: ClassVar[Place] = Place.ARRAY

    @property
    def place(self) -> Place:
        """FOLDED if a reason to fold is given, otherwise where this kind of node is served."""
        return Place.FOLDED if self.folded else self.served_by


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv(Node):
    """Convolution, plain, grouped or depthwise; fully connected as 1 x 1 or as one whole window.

    The input tensor is seen as `batch` images of shape `image` = (H, W, C), whatever its own
    shape (a fully connected layer over T rows is a 1 x 1 convolution over a T x 1 image). Padding
    contributes 0, that is `input_zero_point`. Accumulators are sums of (x - input_zero_point) *
    (w - weight_zero_point); `bias` is added before the output stage.

    weights: [M, R, S, C/G], int8, uint8 or int16. weight_zero_point: int64 [1] or [M].
    bias: int64 [M], values within int32, with a wide stage within 40 bits. float_sums: the model's
    framework adds up rounded floats here, so that its result may be one step off beside a rounding
    edge (`sim.golden.edges`).
    float_magnitude: float64 [M], or None for that of the bias: the absolute values of all that is
    added to such a sum, in units of the accumulator.
    """

    image: Image
    batch: int = 1
    weights: Array
    weight_zero_point: npt.NDArray[np.int64]
    bias: npt.NDArray[np.int64]
    input_zero_point: int
    stride: Pair = (1, 1)
    pad: Pads = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    stage: Requant | WindowStage
    float_sums: bool = False
    float_magnitude: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        M, R, S, C = self.weights.shape if self.weights.ndim == 4 else (0, 0, 0, 0)
        positive = (self.batch, M, R, S, C, self.groups, *self.image, *self.stride, *self.dilation)
        if min(positive) < 1 or min(self.pad) < 0:
            raise RowforgeError(f"{self.name}: sizes, strides and dilations must be at least 1")
        if C * self.groups != self.image[2] or M % self.groups:
            raise RowforgeError(
                f"{self.name}: {self.groups} groups must divide {self.image[2]} input channels "
                f"into {C} each and {M} filters evenly"
            )
        if self.bias.shape != (M,) or self.weight_zero_point.shape not in ((1,), (M,)):
            raise RowforgeError(f"{self.name}: bias and weight zero points must match {M} filters")
        if isinstance(self.stage, Requant) and self.stage.channels not in (1, M):
            raise RowforgeError(f"{self.name}: output scales and offsets must match {M} filters")
        if min(self.output_image) < 1:
            raise RowforgeError(f"{self.name}: the {R} x {S} window does not fit its input")

    @property
    def output_image(self) -> Image:
        """(E, F, M) of one item."""
        M, R, S, _ = self.weights.shape
        (top, left, bottom, right), (H, W, _) = self.pad, self.image
        E = output_size(H, R, self.stride[0], self.dilation[0], top + bottom)
        F = output_size(W, S, self.stride[1], self.dilation[1], left + right)
        return E, F, M

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference, padding taps included."""
        E, F, _ = self.output_image
        return self.batch * E * F * self.weights.size


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(Node):
    """Sum of two tensors of equal shape in TensorFlow Lite's arithmetic, whatever the rounding.

    Scales are the tensors' float32 scales held as float64; see `add_multipliers`.
    """

    scales: tuple[float, float]
    zero_points: tuple[int, int]
    output_scale: float
    output_zero_point: int
    low: int
    high: int
    dtype: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Mul(Node):
    """Product of two tensors of equal shape: stage((a - za) * (b - zb))."""

    zero_points: tuple[int, int]
    stage: Requant


class PoolKind(Enum):
    """What a pooling window yields."""

    MAX = "max"
    AVERAGE = "average"


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool(Node):
    """Pooling of raw stored values; a global pool is one whose window is the whole image.

    AVERAGE sums raw values and divides, rounding half away from zero. Taps in the padding are
    left out of maximum, sum and count, unless `count_include_pad` makes the average divide by the
    whole window and take padding as `pad_value` (the zero point).
    """

    image: Image
    batch: int = 1
    kind: PoolKind
    window: Pair
    stride: Pair
    pad: Pads = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    count_include_pad: bool = False
    pad_value: int = 0
    low: int
    high: int
    dtype: str

    def __post_init__(self) -> None:
        sizes = (self.batch, *self.image, *self.window, *self.stride, *self.dilation)
        if min(sizes) < 1 or min(self.pad) < 0:
            raise RowforgeError(f"{self.name}: sizes, strides and dilations must be at least 1")
        E, F, _ = self.output_image
        if E < 1 or F < 1:
            raise RowforgeError(f"{self.name}: window {self.window} does not fit its input")
        if not self.count_include_pad and self._some_window_is_all_padding(E, F):
            raise RowforgeError(f"{self.name}: a pooling window must not lie wholly in padding")

    def _some_window_is_all_padding(self, E: int, F: int) -> bool:
        for axis, outputs in ((0, E), (1, F)):
            reach = (self.window[axis] - 1) * self.dilation[axis]
            last = (outputs - 1) * self.stride[axis] - self.pad[axis]
            if reach < self.pad[axis] or last >= self.image[axis]:
                return True
        return False

    @property
    def output_image(self) -> Image:
        """(E, F, C) of one item."""
        (top, left, bottom, right), (H, W, C) = self.pad, self.image
        E = output_size(H, self.window[0], self.stride[0], self.dilation[0], top + bottom)
        F = output_size(W, self.window[1], self.stride[1], self.dilation[1], left + right)
        return E, F, C


@dataclass(frozen=True, eq=False, kw_only=True)
class Rescale(Node):
    """Another quantisation of the same values: stage(x - input_zero_point), integers to integers.

    Covers QUANTIZE between integer types, a ReLU, ReLU6 or clip of its own (scale 1 leaves the
    values, the clamp does the work). Equal to a depthwise 1 x 1 convolution with weight 1.
    """

    input_zero_point: int
    stage: Requant


@dataclass(frozen=True, eq=False, kw_only=True)
class Concat(Node):
    """Concatenation along `axis` of tensors with one quantisation."""

    axis: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Pad(Node):
    """Constant padding: (before, after) for each axis of the tensor; `value` is a stored value."""

    pads: tuple[Pair, ...]
    value: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Move(Node):
    """A host step that only moves values, to be done in the buffer: parameters as for `HostStep`.

    Front ends yield host steps; the compiler finds those that the array may do
    (`compiler.moves.lift`).
    """

    function: str
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Reshape(Node):
    """The same values in the same order under the output tensor's shape."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Constant(Node):
    """A tensor known when the model is read, such as the end of a chain of shape arithmetic."""

    value: Array

    served_by: ClassVar[Place] = Place.FOLDED


@dataclass(frozen=True, eq=False, kw_only=True)
class HostStep(Node):
    """A step on the host: `numerics.host.run_host(function, inputs, parameters)`.

    Parameters are plain numbers, strings, booleans and tuples of them, so that a program file can
    carry the step; the result takes the output tensor's shape. `reason` says why no unit of the
    accelerator does it, where there is more to say than that.
    """

    function: str
    parameters: dict[str, Any] = field(default_factory=dict)
    reason: str = ""

    served_by: ClassVar[Place] = Place.HOST
