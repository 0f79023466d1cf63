"""Layers with odd quantisation: zero points at the ends, extreme biases, dead channels."""

from collections.abc import Callable, Sequence

import numpy as np

from tests.campaigns.fuzz_graph.case import Feature
from tests.campaigns.fuzz_graph.idle import with_idle
from tests.support.tflite.layers import LayerWriter

_EXTREME = 1 << 30
_DEAD = 1e-30  # of a channel whose multiplier flushes to 0


class OddLayers(LayerWriter):
    """`LayerWriter` whose tensors are odd now and then; `features` lists what came up.

    `others` gets the tensors that a step writes beside the one that it returns.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.features: set[Feature] = set()
        self.others: list[int] = []

    def note(self, group: str, *items: str) -> None:
        """Adds features."""
        self.features.update((group, item) for item in items)

    def chance(self, share: float) -> bool:
        """True with that probability."""
        return bool(self.random.random() < share)

    def activation(
        self,
        shape: Sequence[int],
        *,
        scale: float | None = None,
        zero_point: int | None = None,
        dtype: str = "int8",
    ) -> int:
        """As the base class; a zero point that is not given is often an end of int8 or 0."""
        if zero_point is None and self.chance(0.5):
            zero_point = int(self.random.choice([-128, 127, 0]))
        tensor = super().activation(shape, scale=scale, zero_point=zero_point, dtype=dtype)
        chosen = {-128: "lowest", 127: "highest", 0: "0"}.get(self._zero_points[tensor], "other")
        self.note("quantisation", f"zero point {chosen}")
        self.note(
            "shape",
            f"rank {len(shape)}",
            "several items" if tuple(shape)[:1] > (1,) else "one item",
        )
        return tensor

    def _parameters(
        self, source: int, shape: Sequence[int], M: int, axis: int, *, per_channel: bool = True
    ) -> tuple[int, int]:
        taps = int(np.prod(shape)) // M
        scale = np.exp(self.random.uniform(-6, -3, M if per_channel else 1)).astype(np.float32)
        bias = self.random.integers(-400, 400, M) * max(1, taps // 4)
        if self.chance(0.25):
            bias[self.random.integers(M)] = _EXTREME
            bias[self.random.integers(M)] = -_EXTREME
            self.note("quantisation", "bias +-2^30")
        if per_channel and M > 1 and self.chance(0.25):
            scale[self.random.integers(M)] = _DEAD
            self.note("quantisation", "multiplier flushes to 0")
        self.note("quantisation", "scale a channel" if per_channel else "scale a tensor")
        weights = self.random.integers(-127, 128, shape).astype(np.int8)
        inputs = len(shape) - 1 if axis == 0 else None
        weights, shown = with_idle(self.random, weights, 0, axis, inputs)
        self.note("weights", *shown)
        zeros = [0] * scale.size
        w = self.writer.constant("w", weights, scale=scale, zero_point=zeros, axis=axis)
        real = (scale * np.float32(self._scales[source])).tolist()
        b = self.writer.constant("b", bias.astype(np.int32), scale=real, zero_point=zeros)
        return w, b

    def dtype_of(self, tensor: int) -> str:
        """Type of an activation."""
        return self._dtypes[tensor]

    def zero_point_of(self, tensor: int) -> int:
        """Zero point of an activation."""
        return self._zero_points[tensor]

    def numbers(self, values: object) -> int:
        """An int32 constant: sizes, axes, limits."""
        return self.writer.constant("n", np.asarray(values, np.int32))


Step = Callable[[OddLayers, int], int | None]
"""Takes a tensor and appends operators; their output, or None where they do not fit."""
