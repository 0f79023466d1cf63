"""A case of the campaign: one model whose arithmetic is looked at, its inputs, what it covers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from tests.support.onnx.models import ModelMaker

Array = npt.NDArray[Any]
Rng = np.random.Generator

EIGHT_BITS = ("int8", "uint8")
ZERO_POINTS = ("zero point lowest", "zero point middle", "zero point highest", "zero point other")
SCALES = ("scale any", "scale power of two", "scale at an edge", "scale near", "scale extreme")
_MOST_STEPS = 9.0  # log2 of the float32 numbers by which a scale is moved off an edge at most


@dataclass
class Case:
    """A model, its inputs, and the tags of what came up while it was drawn."""

    rng: Rng
    maker: ModelMaker = field(default_factory=ModelMaker)
    feeds: dict[str, Array] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    form: str = ""  # of the tensor that a step moves
    block: int = 1  # of operators that fold blocks of an image into channels

    @property
    def model(self) -> onnx.ModelProto:
        """The model's file."""
        return self.maker.model(*self.outputs)

    def operand(self, values: Array, name: str, *, constant: bool = False) -> str:
        """Values as an input of the model or as a constant in it."""
        if constant:
            return self.maker.constant(values)
        self.feeds[name] = values
        return self.maker.input(name, values.shape, str(values.dtype))

    def dtype(self) -> str:
        """One of the 8-bit types."""
        chosen = str(self.rng.choice(EIGHT_BITS))
        self.tags.add(f"type {chosen}")
        return chosen

    def zero_point(self, dtype: str) -> int:
        """Any zero point; one in two lies at an end of the range or in its middle."""
        low, high = limits(dtype)
        special = {"lowest": low, "middle": (low + high + 1) // 2, "highest": high}
        kind = str(self.rng.choice([*special, "other", "other", "other"]))
        self.tags.add(f"zero point {kind}")
        return special.get(kind, int(self.rng.integers(low, high + 1)))

    def scale(self) -> np.float32:
        """Any positive scale of some decades, a power of two, or one near float32's ends."""
        kind = self.rng.random()
        if kind < 0.3:
            self.tags.add("scale power of two")
            return np.float32(2.0 ** self.rng.integers(-12, 5))
        if kind < 0.35:
            self.tags.add("scale extreme")
            return np.float32(10.0 ** self.rng.uniform(-44, 36))
        self.tags.add("scale any")
        return np.float32(10.0 ** self.rng.uniform(-5, 2))

    def target(self, unit: float, real: float) -> np.float32:
        """The scale of an output whose values are multiples of `unit`, `real` being one of them.

        Often it puts `real` at an edge between two results or some float32 steps beside it.
        """
        kind = self.rng.choice([*["edge"] * 6, "near", "power", "any", "extreme"])
        unit = max(abs(unit), 1e-44)
        if kind == "edge":
            self.tags.add("scale at an edge")
            ranges = [1, 2, 4, 16, 128]
            quotient = int(self.rng.integers(0, self.rng.choice(ranges))) + 0.5
            return self._beside(abs(real or unit) / quotient)
        if kind == "near":
            self.tags.add("scale near")
            return self._beside(unit * 2.0 ** int(self.rng.integers(-1, 2)))
        if kind == "power":
            self.tags.add("scale power of two")
            return bounded(unit * 2.0 ** int(self.rng.integers(-2, 9)))
        if kind == "extreme":
            self.tags.add("scale extreme")
            return bounded(unit * 2.0 ** self.rng.uniform(-29, 40))
        self.tags.add("scale any")
        return bounded(unit * 10.0 ** self.rng.uniform(-1, 3))

    def _beside(self, real: float) -> np.float32:
        """The float32 number or one some steps beside it."""
        few = self.rng.random() < 0.7
        most = 3 if few else int(2.0 ** self.rng.uniform(0, _MOST_STEPS))
        bits = bounded(real).view(np.int32) + self.rng.integers(-most, most + 1)
        return bounded(float(np.maximum(bits, 1).astype(np.int32).view(np.float32)))

    def values(self, dtype: str, shape: tuple[int, ...]) -> Array:
        """Integers over the whole range of their type."""
        low, high = limits(dtype)
        return self.rng.integers(low, high + 1, shape).astype(dtype)

    def quantisation(self, scale: np.float32, zero_point: int, dtype: str) -> tuple[str, str]:
        """A scale and a zero point as constants."""
        return self.maker.constant(scale), self.maker.constant(np.asarray(zero_point, dtype=dtype))


Make = Callable[[Case], None]


@dataclass(frozen=True)
class Step:
    """Draws the cases of one step; `wanted` are tags that a whole campaign must have seen."""

    make: Make
    wanted: tuple[str, ...] = ()


def limits(dtype: str) -> tuple[int, int]:
    """(lowest, highest) of an integer type."""
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def bounded(real: float) -> np.float32:
    """The nearest positive finite float32 number."""
    info = np.finfo(np.float32)
    return np.float32(min(max(real, float(info.smallest_subnormal)), float(info.max)))


def all_pairs(first: str, second: str) -> tuple[Array, Array]:
    """All 65,536 pairs of two 8-bit types, as two tensors [1, 256, 256]."""
    a, b = (np.arange(limits(dtype)[0], limits(dtype)[1] + 1) for dtype in (first, second))
    x, y = np.meshgrid(a, b, indexing="ij")
    return x[None].astype(first), y[None].astype(second)


EIGHT_BIT_TAGS = tuple(f"type {dtype}" for dtype in EIGHT_BITS)
QUANTISED_TAGS = (*EIGHT_BIT_TAGS, *ZERO_POINTS, *SCALES)
