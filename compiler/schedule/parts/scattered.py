"""Resident tensors of which every cluster holds what it has computed: `Scattered`."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from compiler.operators.operation import Operand, Operation, part_window, size_of, spans_of
from compiler.stream.stream import StreamBuilder
from compiler.stream.surface import Surface, surface_words
from hw.arch.config import Config
from hw.arch.program import Box
from hw.arch.program.layout import channels_per_word, link_words

_SHARING_CYCLES = 40
"""Of a box that is shared out, besides its words."""


@dataclass
class HeldPortion:
    """What a cluster has computed of a resident tensor.

    shared : boxes of it that all clusters hold
    """

    cluster: int
    box: Box
    surface: Surface
    shared: list[Box] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """All clusters hold all of it."""
        return self.box in self.shared


class Scattered:
    """Knows which cluster holds what, and has boxes sent to the clusters that need them.

    All clusters hold a tensor at the same place. What a cluster has not computed and has not been
    sent is not there.

    Parameters
    ----------
    stream : where the commands go
    """

    def __init__(self, stream: StreamBuilder) -> None:
        self._stream, self._config = stream, stream.config
        self._portions: list[HeldPortion] = []

    def computed(self, box: Box, surface: Surface, cluster: int | None = None) -> None:
        """A cluster has computed a box of a tensor; None: every cluster has."""
        shared = [box] if cluster is None else []
        self._portions.append(HeldPortion(cluster or 0, box, surface, shared))

    def forget(self, surface: Surface) -> None:
        """Its words are free."""
        gone = {id(portion) for portion in self._of(surface)}
        self._portions = [portion for portion in self._portions if id(portion) not in gone]

    def state(self, operands: Iterable[Operand]) -> Hashable:
        """Who holds what of these; () if everyone holds everything."""
        return tuple(
            (portion.cluster, portion.box, portion.surface.address, tuple(portion.shared))
            for operand in operands
            for portion in self._of(operand.surface)
            if not portion.whole
        )

    def bring(
        self,
        operation: Operation,
        operands: Sequence[Operand],
        boxes: Mapping[int, Box],
        *,
        dry: bool = False,
    ) -> int:
        """Sends what clusters need to compute these boxes of an output; the cycles that it takes.

        dry : for the cycles alone
        """
        cycles = 0
        for index, operand in enumerate(operands):
            needs = {cluster: operation.reach(box, index) for cluster, box in boxes.items()}
            for portion in self._of(operand.surface):
                for box in self._missing(portion, needs):
                    cycles += sharing_cycles(self._config, [box])
                    if not dry:
                        surface = part_window(
                            self._config, Operand(portion.box, portion.surface), box
                        )
                        self._stream.share_out(portion.cluster, box, surface)
                        portion.shared.append(box)
        return cycles

    def store(self, tensor: int, box: Box, surface: Surface) -> None:
        """Sends a tensor to the host, every portion from a cluster that holds it."""
        portions = list(self._of(surface))
        if all(portion.whole for portion in portions):
            self._stream.store(tensor, box, surface)
            return
        for portion in portions:
            self._stream.store(tensor, portion.box, portion.surface, portion.cluster)

    def _of(self, surface: Surface) -> Iterator[HeldPortion]:
        begin, end = surface.extent(self._config)
        for portion in self._portions:
            if begin <= portion.surface.address < end:
                yield portion

    def _missing(self, portion: HeldPortion, needs: Mapping[int, Box]) -> list[Box]:
        """Boxes of a portion that other clusters need and do not hold."""
        found: list[Box] = []
        grid = channels_per_word(self._config, raw=portion.surface.raw)
        for cluster, need in needs.items():
            box = _common(portion.box, need, grid)
            if cluster == portion.cluster or box is None:
                continue
            if not any(_within(box, other) for other in (*portion.shared, *found)):
                found = [other for other in found if not _within(other, box)] + [box]
        if not found:
            return found
        hull = _hull(found)
        together = sharing_cycles(self._config, [hull])
        return [hull] if together <= sharing_cycles(self._config, found) else found


def sharing_cycles(config: Config, boxes: Iterable[Box]) -> int:
    """Of boxes that are shared out: a link word a cycle, one box after another."""
    return sum(
        link_words(config, surface_words(config, size_of(box))) + _SHARING_CYCLES for box in boxes
    )


def _common(portion: Box, need: Box, grid: int) -> Box | None:
    """What two boxes have in common, in whole words of so many channels; None if nothing."""
    items, rows, columns, (first, last) = (
        (max(a[0], b[0]), min(a[1], b[1]))
        for a, b in zip(spans_of(portion), spans_of(need), strict=True)
    )
    origin, most = portion.channels
    begin = origin + (first - origin) // grid * grid
    end = min(origin - (origin - last) // grid * grid, most)
    box = Box(items, rows, columns, (begin, end))
    empty = first >= last or any(a >= b for a, b in spans_of(box))
    return None if empty else box


def _within(inner: Box, outer: Box) -> bool:
    pairs = zip(spans_of(inner), spans_of(outer), strict=True)
    return all(b[0] <= a[0] and a[1] <= b[1] for a, b in pairs)


def _hull(boxes: Sequence[Box]) -> Box:
    spans = zip(*(spans_of(box) for box in boxes), strict=True)
    return Box(*((min(s[0] for s in each), max(s[1] for s in each)) for each in spans))
