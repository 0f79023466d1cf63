"""The encoder of significance masks: link words become their code."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.program.coding import MASK_WORDS
from hw.base.block import Block
from hw.base.queue import Queue

_GROUPS = 2  # of words that share a mask: one comes in while another one leaves


def coded_word(config: Config) -> data.StructLayout:
    """What is encoded: a link word.

    Members
    -------
    data : its elements
    used : those that hold something; others are left out
    last : it is the last of its box
    """
    elements = LINK_WORD_BITS // config.array.data_width
    return data.StructLayout({"data": LINK_WORD_BITS, "used": elements, "last": 1})


class Masker(Block):
    """Encodes link words (`hw.arch.program.coding`), eight of them in nine cycles at best.

    Words wait until the last one that shares their mask has come. Then the mask goes, and after it
    the elements of each word that are not left out, a word a cycle. Two registers follow: one for
    the elements that go next, and one for those that do not fill a link word yet.

    Members
    -------
    start : in, 1
        Begin a code; only while not `busy`.
    zero : in, config.array.data_width
        The value that is left out, stable while `busy`.
    busy : out, 1
        A code is under way, from the cycle after `start` until its check word is taken.
    words : in, stream of coded_word(config)
        What is encoded.
    code : out, stream of LINK_WORD_BITS
        The code, its check word last.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "start": In(1),
                "zero": In(config.array.data_width),
                "busy": Out(1),
                "words": In(stream.Signature(coded_word(config))),
                "code": Out(stream.Signature(LINK_WORD_BITS)),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = self.config.array.data_width
        elements = LINK_WORD_BITS // width  # of a link word
        words, masks = self._groups(m, elements)
        mask = Signal(MASK_WORDS * elements)  # of the words to come
        word = words.output.payload
        packed, size = _compact(word.data, mask[:elements], width)
        load, free = Signal(), Signal()  # elements go into the first register; it can take them
        given, count = Signal(LINK_WORD_BITS), Signal(range(elements + 1))
        ending = Signal()  # no more elements come
        idle = self._append(m, given, count, load, free, ending)
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"), m.If(self.start):
                m.next = "ZERO"
            with m.State("ZERO"):
                m.d.comb += [load.eq(1), given.eq(self.zero), count.eq(1)]
                m.next = "MASK"
            with m.State("MASK"):
                m.d.comb += [
                    load.eq(free & masks.output.valid),
                    masks.output.ready.eq(free),
                    given.eq(masks.output.payload),
                    count.eq(len(mask) // width),
                ]
                with m.If(load):
                    m.d.sync += mask.eq(masks.output.payload)
                    m.next = "WORDS"
            with m.State("WORDS"):
                # A group's words are all there when its mask is.
                m.d.comb += [
                    load.eq(free),
                    words.output.ready.eq(free),
                    given.eq(packed),
                    count.eq(size),
                ]
                with m.If(load):
                    m.d.sync += mask.eq(mask >> elements)
                    with m.If(word.last):
                        m.next = "END"
                    with m.Elif(word.ends):
                        m.next = "MASK"
            with m.State("END"):
                m.d.comb += ending.eq(1)
                with m.If(idle):
                    m.next = "IDLE"
        return m

    def _groups(self, m: Module, elements: int) -> tuple[Queue, Queue]:
        """(queue of words, of masks): a mask is there when all its words are."""
        width = LINK_WORD_BITS // elements
        shape = data.StructLayout({"data": LINK_WORD_BITS, "ends": 1, "last": 1})
        m.submodules.words = words = Queue(shape, depth=_GROUPS * MASK_WORDS)
        m.submodules.masks = masks = Queue(MASK_WORDS * elements, depth=_GROUPS)
        position = Signal(range(MASK_WORDS))
        before = Signal(MASK_WORDS * elements)  # the mask of the words that have come
        mask = Signal.like(before)
        ends, enters = Signal(), Signal()
        word = self.words.payload
        found = Cat(part != self.zero for part in _parts(word.data, width)) & word.used
        m.d.comb += [
            ends.eq(word.last | (position == MASK_WORDS - 1)),
            mask.eq(before),
            mask.word_select(position, elements).eq(found),
            self.words.ready.eq(words.input.ready & masks.input.ready),
            enters.eq(self.words.valid & self.words.ready),
            words.input.valid.eq(enters),
            words.input.payload.data.eq(word.data),
            words.input.payload.ends.eq(ends),
            words.input.payload.last.eq(word.last),
            masks.input.valid.eq(enters & ends),
            masks.input.payload.eq(mask),
        ]
        with m.If(enters):
            m.d.sync += [before.eq(Mux(ends, 0, mask)), position.eq(Mux(ends, 0, position + 1))]
        return words, masks

    def _append(
        self, m: Module, given: Signal, count: Signal, load: Signal, free: Signal, ending: Signal
    ) -> Signal:
        """Elements into link words of the code; returns "the check word is taken".

        `given` holds `count` elements in its low bits and zeros above.
        """
        width = self.config.array.data_width
        elements = LINK_WORD_BITS // width
        full, item, size = Signal(), Signal.like(given), Signal.like(count)
        rest, fill = Signal(LINK_WORD_BITS), Signal(range(elements))  # zeros above its elements
        total = Signal(range(2 * elements))
        turned, joined = Signal.like(given), Signal.like(given)
        fills, moves, offers = Signal(), Signal(), Signal()
        checks, done = Signal(), Signal()  # all but the check word is taken; that one is
        check = Signal(LINK_WORD_BITS)
        m.d.comb += [
            total.eq(fill + size),
            fills.eq(full & (total >= elements)),
            turned.eq(_turned(item, fill, width)),
            moves.eq(full & (~fills | self.code.ready)),
            free.eq(~full | moves),
            checks.eq(ending & ~full & (fill == 0)),
            offers.eq(ending & ~full & (fill != 0)),
            self.code.valid.eq(fills | offers | checks),
            self.code.payload.eq(Mux(checks, check, joined)),
            done.eq(checks & self.code.ready),
        ]
        kept = [Signal(width, name=f"kept_{lane}") for lane in range(elements)]
        for lane, (old, new) in enumerate(
            zip(_parts(rest, width), _parts(turned, width), strict=True)
        ):
            below = lane < fill  # the lane has an element that came before
            m.d.comb += [
                joined.word_select(lane, width).eq(Mux(below | ~full, old, new)),
                # What is turned below `fill` are the elements that go beyond the link word.
                kept[lane].eq(Mux(fills, Mux(below, new, 0), Mux(below, old, new))),
            ]
        with m.If(load):
            m.d.sync += [item.eq(given), size.eq(count)]
        m.d.sync += full.eq(load | (full & ~moves))
        with m.If(moves):
            m.d.sync += [rest.eq(Cat(kept)), fill.eq(total[: len(fill)])]
        with m.If(offers & self.code.ready):
            m.d.sync += [rest.eq(0), fill.eq(0)]
        with m.If(self.code.valid & self.code.ready):
            m.d.sync += check.eq(Mux(checks, 0, (check ^ self.code.payload).rotate_left(1)))
        return done


def _parts(word: Value, width: int) -> list[Value]:
    return [word[first : first + width] for first in range(0, len(word), width)]


def _compact(word: Value, kept: Value, width: int) -> tuple[Value, Value]:
    """(the elements of a word that are kept, in its low bits with zeros above; how many)."""
    parts = _parts(word, width)
    before = [sum(kept[lane] for lane in range(number)) for number in range(len(parts) + 1)]
    lanes = []
    for place in range(len(parts)):
        # An element moves down only: its place is at most its lane.
        sources = [
            Mux(kept[lane] & (before[lane] == place), parts[lane], 0)
            for lane in range(place, len(parts))
        ]
        chosen: Value = sources[0]
        for source in sources[1:]:
            chosen = chosen | source
        lanes.append(chosen)
    return Cat(*lanes), before[-1]


def _turned(word: Value, places: Signal, width: int) -> Value:
    """The elements moved up by so many places, the uppermost ones to the bottom."""
    turns = [word.rotate_left(width * number) for number in range(len(word) // width)]
    return Array(turns)[places]
