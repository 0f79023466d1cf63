"""A part of a layer that is short to simulate and shows how the whole layer runs.

Cropped are, one after the other and only as far as needed: the items of the batch, the output rows
(whole multiples of those that the mapping computes together), the filters, the input channels. The
row width, window and stride stay. A crop counts only if the mapper maps it as it maps the whole
layer and its utilisation is that of the whole layer within `STEADY`: fill, drain, and ragged edges
then weigh what they weigh in the layer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from compiler.compile import timing_program
from compiler.options import DEFAULTS, CompileOptions
from compiler.workloads.layers import LayerShape, layer_graph
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Layer, Program
from sim.cycles.predict import predict
from sim.cycles.stream import NO_VALUES, Values

STEADY = 0.02  # largest relative change of the utilisation
_COUNTS = ("blocks", "passes", "active_pes", "bound", "idle", "parts")  # not the mapping itself


@dataclass(frozen=True)
class Workload:
    """A layer and the number of items that it computes, on a configuration."""

    config: Config
    shape: LayerShape
    batch: int
    options: CompileOptions = DEFAULTS

    @cached_property
    def program(self) -> Program:
        """As a network of its own, without filters: all that its cycles depend on."""
        graph = layer_graph(
            self.shape.name,
            [self.shape],
            data_width=self.config.array.data_width,
            batch=self.batch,
        )
        return timing_program(graph, self.config, self.options)

    @property
    def layer(self) -> Layer:
        """Its estimate, as a network of its own."""
        return self.program.layers[0]

    @property
    def cycles(self) -> int:
        """By the mapper's estimate."""
        return self.layer.model_cycles or 0

    def exact_cycles(self, rate: float = 1, values: Values = NO_VALUES) -> int:
        """By the exact model, over a link that moves `rate` words a cycle.

        `values` : by tensor index, what is loaded, which decides how long codes are
        """
        return predict(self.program, dry=True, rate=rate, values=values).cycles

    @property
    def mapping(self) -> dict[str, Any]:
        """How the layer lies on the array."""
        return {k: v for k, v in self.layer.mapping.items() if k not in _COUNTS}

    def runs_like(self, other: "Workload") -> bool:
        """Mapped as the other one, and as well utilised."""
        if self.mapping != other.mapping:
            return False
        ours, theirs = self.layer.macs * other.cycles, other.layer.macs * self.cycles
        return abs(ours - theirs) <= STEADY * theirs

    def describe(self, whole: "Workload") -> str:
        """How much of `whole` this is; "whole" if it is all."""
        ours, all_ = self._sizes(), whole._sizes()
        parts = [
            f"{ours[name]} of {all_[name]} {name}" for name in all_ if ours[name] != all_[name]
        ]
        return ", ".join(parts) or "whole"

    def _sizes(self) -> dict[str, int]:
        return {
            "items": self.batch,
            "output rows": self.shape.output[0],
            "filters": self.shape.M,
            "channels": self.shape.C,
        }


def crop(whole: Workload, most_cycles: int) -> Workload:
    """The largest crop of at most so many cycles; the shortest one if none is short enough."""
    found = whole
    for smaller in (_items, _rows, _filters, _channels):
        for candidate in smaller(found):
            if found.cycles <= most_cycles:
                return found
            if _legal(candidate) and candidate.runs_like(whole):
                found = candidate
    return found


def _legal(work: Workload) -> bool:
    """A small layer may leave a beat of channels unfilled, which the array then cannot compute."""
    try:
        return work.cycles > 0
    except RowforgeError:
        return False


def _halves(value: int, step: int) -> Iterator[int]:
    """Ever fewer whole steps, at least two of them."""
    count = value // step // 2
    while count >= 2:
        yield count * step
        count //= 2


def _items(work: Workload) -> Iterator[Workload]:
    if work.batch > 1:
        yield replace(work, batch=1)


def _rows(work: Workload) -> Iterator[Workload]:
    shape, mapping = work.shape, work.layer.mapping
    step = mapping.get("unit_rows", 1) * mapping.get("column_rows", 1)
    for E in _halves(shape.output[0], step):
        H = (E - 1) * shape.stride + shape.R - 2 * shape.pad
        if H >= 1:
            yield replace(work, shape=replace(shape, H=H, W=shape.width))


def _filters(work: Workload) -> Iterator[Workload]:
    for M in _halves(work.shape.M, work.shape.groups):
        yield replace(work, shape=replace(work.shape, M=M))


def _channels(work: Workload) -> Iterator[Workload]:
    for C in _halves(work.shape.C, work.shape.groups):
        yield replace(work, shape=replace(work.shape, C=C))
