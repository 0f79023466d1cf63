"""The accesses of a layer at every level, as far as they are counted or follow: `layer_tally`."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

from hw.arch.accesses import Access, Accesses, DataType, Direction, Level
from hw.arch.program import Layer

_READ, _WRITE = Direction.READ, Direction.WRITE
_NONE = Fraction(0)
_NOTHING = Accesses()
_PORTION_LOOPS = 4  # of `compiler.nest.task.Portion`


class Gating(StrEnum):
    """When a product that is skipped leaves the psum scratchpad alone.

    NEVER; INSIDE: except for the first and the last product of a window, as our PEs do, which
    begin and send the sum with them; ALWAYS.
    """

    NEVER = "never"
    INSIDE = "inside"
    ALWAYS = "always"


@dataclass(frozen=True)
class LayerTally:
    """What a layer accesses.

    Attributes
    ----------
    accesses : at all levels
    macs : products, skipped ones included
    gated_macs : products that were skipped because the activation stands for zero; None: nobody
        knows, and everything is counted as if there were none
    """

    accesses: Accesses = Accesses()
    macs: int = 0
    gated_macs: int | None = None

    def __add__(self, other: "LayerTally") -> "LayerTally":
        known = [part.gated_macs for part in (self, other) if part.macs]
        gated = None if None in known or not known else sum(n for n in known if n is not None)
        return LayerTally(self.accesses + other.accesses, self.macs + other.macs, gated)

    def as_list(self) -> list[Any]:
        """Plain values, for JSON; accesses in their order, in which prices are added up."""
        words = [
            [access.level.value, access.data.value, access.direction.value, count]
            for access, count in self.accesses.items()
        ]
        return [words, self.macs, self.gated_macs]

    @classmethod
    def of(cls, words: list[Any], macs: int, gated_macs: int | None) -> "LayerTally":
        """The inverse of `as_list`, whose values are the parameters."""
        accesses = {
            Access(Level(level), DataType(data), Direction(way)): count
            for level, data, way, count in words
        }
        return cls(Accesses.of(accesses), macs, gated_macs)


@dataclass(frozen=True, kw_only=True)
class PeWork:
    """How PEs work; from it follow accesses that nobody counts.

    q, S : channels and taps of a filter row in a PE
    reuse : filters that use an ifmap word in a PE; in a depthwise layer those of one channel
    F, U, D : windows of a pass, stride and dilation along a row
    held : passes for which the filters of a PE stay
    depthwise : a filter has the taps of one channel only
    """

    q: int
    S: int
    reuse: int
    F: int
    U: int = 1
    D: int = 1
    held: int = 1
    depthwise: bool = False

    def words(
        self, macs: Fraction, gated: Fraction = _NONE, *, gating: Gating = Gating.INSIDE
    ) -> dict[Access, Fraction]:
        """Products, accesses of the scratchpads, and words that networks deliver.

        A filter word is read for every product that is not skipped, an ifmap word once for all
        filters of a window. The psum of a window stays in its scratchpad for q S products: the
        first of them finds none there, and the last leaves none. A PE takes the ifmap words of its
        windows and its filters in every pass, and gives a psum for every window and filter.

        Parameters
        ----------
        macs : products, padding and skipped ones included
        gated : of them skipped
        gating : when these leave the psum scratchpad alone
        """
        steps = self.S if self.depthwise else self.q * self.S
        row = len({window * self.U + tap * self.D for window, tap in self._taps})
        psums = (macs if gating is Gating.NEVER else macs - gated) * (steps - 1) / steps
        if gating is Gating.INSIDE and steps > 1:
            psums += gated / steps
        ifmaps = macs * row / (self.F * self.S * self.reuse)
        filters = macs / (self.F * self.held)
        words = {
            (Level.MAC, DataType.PSUM, _WRITE): macs,
            (Level.SPAD, DataType.FILTER, _READ): macs - gated,
            (Level.SPAD, DataType.IFMAP, _READ): macs / self.reuse,
            (Level.SPAD, DataType.PSUM, _READ): psums,
            (Level.SPAD, DataType.PSUM, _WRITE): psums,
            (Level.SPAD, DataType.FILTER, _WRITE): filters,
            (Level.SPAD, DataType.IFMAP, _WRITE): ifmaps,
            (Level.NETWORK, DataType.FILTER, _WRITE): filters,
            (Level.NETWORK, DataType.IFMAP, _WRITE): ifmaps,
            (Level.NETWORK, DataType.PSUM, _WRITE): macs / steps,
        }
        return {Access(*kind): count for kind, count in words.items()}

    @property
    def _taps(self) -> Iterator[tuple[int, int]]:
        """Windows of a pass, each with its taps of a row."""
        return product(range(self.F), range(self.S))


def layer_tally(
    layer: Layer, *, gated_macs: int | None = None, counted: Accesses = _NOTHING
) -> LayerTally:
    """The accesses of a layer: those that it counts, and what follows from its mapping.

    What counters have counted replaces what the layer counts, except on the link, where only a
    program tells spills. A level and data type of which nothing is counted is derived from the
    parts of the mapping (`PeWork`). Of filters on the network the words sent may be counted
    without those delivered, which are then derived.

    Parameters
    ----------
    layer : Layer
        Of a program or an estimate.
    gated_macs : int or None
        Products that were skipped, by a counter or by a known share of zeros.
    counted : Accesses
        By the counters of `control.access_counters`; nothing if they are not there.
    """
    share = Fraction(gated_macs or 0, layer.macs) if layer.macs else _NONE
    derived: defaultdict[Access, Fraction] = defaultdict(Fraction)
    for work, macs in _works(layer).items():
        for access, words in work.words(macs, macs * share).items():
            derived[access] += words
    known = layer.accesses
    if any(words for _, words in counted.items()):
        known = _on_link(layer.accesses, True) + _on_link(counted, False)
    told = {(access.level, access.data) for access, words in known.items() if words}
    if not known.words(Level.NETWORK, DataType.FILTER, _WRITE):
        told.discard((Level.NETWORK, DataType.FILTER))
    missing = {
        access: round(words)
        for access, words in derived.items()
        if (access.level, access.data) not in told
    }
    return LayerTally(known + Accesses.of(missing), layer.macs, gated_macs)


def _on_link(accesses: Accesses, there: bool) -> Accesses:
    """The accesses that are on the link, or those that are not."""
    chosen = {a: words for a, words in accesses.items() if (a.level is Level.LINK) == there}
    return Accesses.of(chosen)


def _works(layer: Layer) -> dict[PeWork, Fraction]:
    """How the parts of a mapping work, with their shares of the layer's products."""
    parts = layer.mapping.get("parts", ())
    whole_of: dict[Hashable, list[int]] = {}
    for part in parts:
        ends = [end for _, end in _spans(part)]
        before = whole_of.get(_box(part), ends)
        whole_of[_box(part)] = [max(pair) for pair in zip(before, ends, strict=True)]
    weights: defaultdict[PeWork, Fraction] = defaultdict(Fraction)
    for part in parts:
        steps = prod(end - begin for begin, end in _spans(part))
        weights[_work(part)] += Fraction(part_macs(part) * steps, prod(whole_of[_box(part)]))
    whole = sum(weights.values())
    return {work: layer.macs * weight / whole for work, weight in weights.items()}


def _spans(part: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Which of the box's waves, and of the steps of its sums, the part computes.

    (0, 1) stands for all; otherwise another part of the same box has the last ones.
    """
    chosen, portion = part["block"]["chosen"], part["portion"]
    return [chosen or (0, 1), *(portion or [(0, 1)] * _PORTION_LOOPS)]


def _box(part: Mapping[str, Any]) -> Hashable:
    """What parts have in common that compute waves of one box."""
    block = part["block"]
    mapping = block["mapping"]
    places = (part["origin"], block["rows"], block["columns"], block["filters"])
    names = ("p", "ce", "cm", "cn", "windows", "width")
    return (
        *(tuple(place) for place in places),
        *(part["pixel"], part["shape"]["C"], mapping["fold"]["q"], mapping["fold"]["span"]),
        *(mapping[name] for name in names),
    )


def part_macs(part: Mapping[str, Any]) -> int:
    """Products of the box of a part, as `compiler.nest.locate.Part.as_dict` writes it."""
    shape, block = part["shape"], part["block"]
    sizes = (end - begin for begin, end in (block["rows"], block["columns"], block["filters"]))
    channels = 1 if shape["multiplier"] else shape["C"]
    return int(shape["N"] * prod(sizes) * shape["R"] * shape["S"] * channels)


def _work(part: Mapping[str, Any]) -> PeWork:
    shape, mapping = part["shape"], part["block"]["mapping"]
    return PeWork(
        q=mapping["fold"]["q"],
        S=mapping["fold"]["span"],
        reuse=shape["multiplier"] or mapping["p"],
        F=mapping["windows"],
        U=shape["stride"][1],
        D=shape["dilation"][1],
        held=_held(part),
        depthwise=shape["multiplier"] > 0,
    )


def _held(part: Mapping[str, Any]) -> int:
    """Waves over items, output rows and output columns for which filters stay."""
    block, mapping = part["block"], part["block"]["mapping"]
    rows, columns = (end - begin for begin, end in (block["rows"], block["columns"]))
    counts = (
        part["shape"]["N"] // mapping["cn"],
        rows // (mapping["fold"]["ue"] * mapping["ce"]),
        columns // mapping["windows"],
    )
    held = block["held"]
    return prod(count for count, stays in zip(counts, held, strict=True) if stays)
