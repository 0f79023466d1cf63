"""Results of an item, packed into writes of buffer words."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.arch.commands import ADDRESS
from hw.arch.config import Config
from hw.base.block import Block
from hw.post.layouts import buffer_write_layout, placement_layout

RAW_BITS = 32


class Packer(Block):
    """Places the results of an item in buffer words; one word a cycle.

    A buffer word holds a channel block: `config.lanes` channels of `array.data_width` bits or, in
    a 32-bit tensor, `buffer.width` / 32 channels. Stored results fill the lanes `lane` .. `lane` +
    units - 1 of the word `addr`. For 32-bit results `addr` is the word of the first of the
    `config.lanes` channels among which `lane` counts; the words of the following blocks are `plane`
    words apart, and an item takes `words` = max(1, units * 32 / `buffer.width`) cycles. A word of
    which nothing is written is left out.

    Latency: 1 cycle, the register of `writes`.

    Timing
    ------
    An item of eight 32-bit results takes four words, one plane apart.

        cycle                 0   1   2   3   4   5   6
        valid                 1   1   1   1   1   0   0
        taken                 0   0   0   0   1   0   0
        writes.valid          0   1   1   1   1   1   0
        writes.payload.addr   .   4  20  20  36  52   .
        writes.ready          1   1   0   1   1   1   1

    Members
    -------
    valid : in, 1
        An item is offered; `place`, `raw_mode`, `plane` and the results are held until `taken`.
    taken : out, 1
        The last word of the item is being stored: the next cycle may offer another item.
    place : in, placement_layout(config)
        Where the item's results go.
    raw_mode : in, 1
        The results are those of `raw`, 32 bits each.
    plane : in, ADDRESS
        Buffer words from one block of channels to the next, for 32-bit results.
    results : in, array of config.post.units config.array.data_width
        Results of the lanes.
    raw : in, array of config.post.units RAW_BITS
        Results of the lanes in mode RAW.
    writes : out, stream of buffer_write_layout(config)
        Writes to the buffer.
    """

    latency = 1

    def __init__(self, config: Config):
        self.config = config
        units = config.post.units
        super().__init__(
            {
                "valid": In(1),
                "taken": Out(1),
                "place": In(placement_layout(config)),
                "raw_mode": In(1),
                "plane": In(ADDRESS),
                "results": In(data.ArrayLayout(config.array.data_width, units)),
                "raw": In(data.ArrayLayout(RAW_BITS, units)),
                "writes": Out(stream.Signature(buffer_write_layout(config))),
            }
        )

    @property
    def per_word(self) -> int:
        """32-bit results in a buffer word."""
        return self.config.buffer.width // RAW_BITS

    @property
    def words(self) -> int:
        """Buffer words of an item of 32-bit results."""
        return max(1, self.config.post.units // self.per_word)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        writes = self.writes
        word = Signal(range(max(self.words, 2)))  # a switch over no bits matches nothing
        free = Signal()
        last = Signal()
        m.d.comb += [
            free.eq(~writes.valid | writes.ready),
            last.eq(~self.raw_mode | (word == self.words - 1)),
            self.taken.eq(self.valid & free & last),
        ]
        mask = Signal(self.config.lanes)
        content = Signal(self.config.buffer.width)
        with m.If(self.raw_mode):
            self._place_raw(m, word, mask, content)
        with m.Else():
            self._place_stored(m, mask, content)
        with m.If(free):
            # A write of no lane would still take the buffer's port.
            m.d.sync += writes.valid.eq(self.valid & mask.any())
        with m.If(free & self.valid):
            m.d.sync += [
                word.eq(Mux(last, 0, word + 1)),
                writes.payload.addr.eq(self._address(word)),
                writes.payload.mask.eq(mask),
                writes.payload.data.eq(content),
            ]
        return m

    def _address(self, word: Value) -> Value:
        """The item's first word, or one plane after the word before."""
        first = self.place.addr
        block = self.place.lane[exact_log2(self.per_word) :]  # channel block of the first result
        for bit in range(exact_log2(self.words), len(block)):
            first = first + Mux(self.raw_mode & block[bit], self.plane << bit, 0)
        following = self.writes.payload.addr + self.plane
        return Mux(word == 0, first, following)[:ADDRESS]

    def _place_stored(self, m: Module, mask: Value, content: Value) -> None:
        units = self.config.post.units
        slots = self.config.lanes // units
        slot = self.place.lane[exact_log2(units) :]
        m.d.comb += [
            mask.eq(Cat(Mux(slot == i, self.place.mask, 0) for i in range(slots))),
            content.eq(self.results.as_value().replicate(slots)),
        ]

    def _place_raw(self, m: Module, word: Value, mask: Value, content: Value) -> None:
        units = self.config.post.units
        wanted = Signal(self.per_word)  # one bit for each 32-bit result of the word
        copies = max(1, self.per_word // units)
        if copies > 1:
            position = self.place.lane[exact_log2(units) : exact_log2(self.per_word)]
            m.d.comb += [
                wanted.eq(Cat(Mux(position == i, self.place.mask, 0) for i in range(copies))),
                content.eq(self.raw.as_value().replicate(copies)),
            ]
        else:
            with m.Switch(word):
                for i in range(self.words):
                    part = slice(i * self.per_word, (i + 1) * self.per_word)
                    with m.Case(i):
                        m.d.comb += wanted.eq(self.place.mask[part])
                        m.d.comb += content.eq(Cat(self.raw[k] for k in range(units)[part]))
        lanes = RAW_BITS // self.config.array.data_width
        m.d.comb += mask.eq(Cat(bit.replicate(lanes) for bit in wanted))
