"""What the chip's mappings access, layer by layer, counted without a program: `ChipLayer`."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil

from compiler.workloads.layers import LayerShape
from hw.arch.accesses import Access, Accesses, DataType, Direction, Level
from rowforge.chip.coding import coded_share
from rowforge.chip.mappings import CHIP_MAPPINGS, ChipMapping
from rowforge.energy.layer_tally import Gating, LayerTally, PeWork
from rowforge.reports.published import PublishedNetwork, before_pooling

_READ, _WRITE = Direction.READ, Direction.WRITE
_BYTES = 2  # of a value
_LINK_BYTES = 8  # of a link word


@dataclass(frozen=True, kw_only=True)
class ChipLayer:
    """A layer as the chip computes it.

    Attributes
    ----------
    shape : LayerShape
    mapping : ChipMapping
    batch : items
    zeros : share of zeros of the ifmap
    output_zeros : of the ofmap
    coded_input : whether the ifmap is coded in DRAM; a network's first one is not
    """

    shape: LayerShape
    mapping: ChipMapping
    batch: int
    zeros: float
    output_zeros: float
    coded_input: bool

    # ---- DRAM, bytes --------------------------------------------------------------------------

    @property
    def filter_bytes(self) -> int:
        """Filters, raw: all of them for every strip of every group of n items."""
        shape, mapping = self.shape, self.mapping
        weights = shape.M * shape.C // shape.groups * shape.R**2
        strips = len(self._strips(0)) * len(self._strips(1))
        return _BYTES * weights * ceil(self.batch / mapping.n) * strips

    @property
    def raw_input_bytes(self) -> int:
        """Ifmaps with padding and the rows and columns that strips share, once for m filters."""
        shape = self.shape
        sweeps = ceil(shape.M / shape.groups / self.mapping.m)
        return _BYTES * self.batch * shape.C * self._seen(0) * self._seen(1) * sweeps

    @property
    def raw_output_bytes(self) -> int:
        """Ofmaps, once."""
        return _BYTES * self._outputs

    @property
    def input_bytes(self) -> float:
        """Ifmaps as they are in DRAM. Padding is coded like the rest of a map."""
        return self.raw_input_bytes * (coded_share(self.zeros) if self.coded_input else 1)

    @property
    def output_bytes(self) -> float:
        """Ofmaps, coded."""
        return self.raw_output_bytes * coded_share(self.output_zeros)

    # ---- the global buffer, words ---------------------------------------------------------------

    @property
    def ifmap_words(self) -> int:
        """Words that the buffer gives: each for every p t filters. Whole rows of every strip."""
        shape, mapping = self.shape, self.mapping
        sweeps = ceil(shape.M / shape.groups / (mapping.p * mapping.t))
        return sweeps * self.batch * shape.C * self._seen(0) * self._padded_width

    @property
    def psum_words(self) -> int:
        """Words that the buffer gives, and as many that it takes: every psum for q r channels."""
        shape, mapping = self.shape, self.mapping
        turns = ceil(shape.C / shape.groups / (mapping.q * mapping.r))
        return turns * self._outputs

    # ---- all ------------------------------------------------------------------------------------

    @cached_property
    def tally(self) -> LayerTally:
        """Accesses at every level of which the mapping tells; filters pass the buffer uncounted.

        A skipped product leaves filter and psum scratchpads alone.
        """
        return self._tally(round(self.batch * self.shape.macs * self.zeros))

    @cached_property
    def dense_tally(self) -> LayerTally:
        """The same where no product is skipped."""
        return self._tally(0)

    def _tally(self, gated: int) -> LayerTally:
        macs = self.batch * self.shape.macs
        accesses = Accesses.of(
            {
                Access(Level.LINK, DataType.FILTER, _READ): ceil(self.filter_bytes / _LINK_BYTES),
                Access(Level.LINK, DataType.INPUT, _READ): ceil(self.input_bytes / _LINK_BYTES),
                Access(Level.LINK, DataType.OUTPUT, _WRITE): ceil(self.output_bytes / _LINK_BYTES),
            }
        )
        if not self.mapping.inner:
            products = {Access(Level.MAC, DataType.PSUM, _WRITE): macs}
            return LayerTally(accesses + Accesses.of(products), macs, gated)
        words = self._work.words(Fraction(macs), Fraction(gated), gating=Gating.ALWAYS)
        inside = {access: round(count) for access, count in words.items()}
        inside[Access(Level.BUFFER, DataType.IFMAP, _READ)] = self.ifmap_words
        inside[Access(Level.BUFFER, DataType.PSUM, _READ)] = self.psum_words
        inside[Access(Level.BUFFER, DataType.PSUM, _WRITE)] = self.psum_words
        return LayerTally(accesses + Accesses.of(inside), macs, gated)

    @property
    def _work(self) -> PeWork:
        shape, mapping = self.shape, self.mapping
        return PeWork(
            q=mapping.q,
            S=shape.R,
            reuse=mapping.p,
            F=shape.output[1],
            U=shape.stride,
            held=mapping.n,
        )

    @property
    def _outputs(self) -> int:
        E, F = self.shape.output
        return self.batch * self.shape.M * E * F

    @property
    def _padded_width(self) -> int:
        return self.shape.width + 2 * self.shape.pad

    def _strips(self, axis: int) -> Sequence[int]:
        """Sizes of the strips of the ofmap along rows (0) or columns (1)."""
        size = self.shape.output[axis]
        step = (self.mapping.e, self.mapping.f or size)[axis]
        return [min(step, size - begin) for begin in range(0, size, step)]

    def _seen(self, axis: int) -> int:
        """Rows or columns of the padded ifmap that all strips need together."""
        if axis == 1 and len(self._strips(1)) == 1:
            return self._padded_width
        R, U = self.shape.R, self.shape.stride
        return sum((size - 1) * U + R for size in self._strips(axis))


def chip_layers(
    name: str, shapes: Sequence[LayerShape], table: PublishedNetwork
) -> list[ChipLayer]:
    """All CONV layers of a network as the chip computes them.

    Shares of zeros of ifmaps are the published ones. An ofmap has that of the next ifmap, or what
    it was before pooling; the last ofmap, which is pooled and of which nothing is published, has
    that of its layer's ifmap after pooling.

    Parameters
    ----------
    name : a key of `CHIP_MAPPINGS`
    shapes : its CONV layers
    table : its published table
    """
    layers = []
    for number, shape in enumerate(shapes):
        following = shapes[number + 1] if number + 1 < len(shapes) else None
        zeros = table.layers[(following or shape).name].zeros
        pooled = following is None or shape.output[0] != following.H
        layers.append(
            ChipLayer(
                shape=shape,
                mapping=CHIP_MAPPINGS[name][shape.name],
                batch=table.batch,
                zeros=table.layers[shape.name].zeros,
                output_zeros=before_pooling(zeros) if pooled else zeros,
                coded_input=number > 0,
            )
        )
    return layers
