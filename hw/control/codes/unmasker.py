"""The decoder of significance masks: a code of link words becomes the words themselves."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.program.coding import MASK_WORDS
from hw.base.block import Block


class Unmasker(Block):
    """Decodes the payload of a LOAD (`hw.arch.program.coding`), or passes it on as it is.

    Two link words of the code lie in a window of elements, from which masks and words are taken.
    A word leaves every cycle as long as its elements are there, and a mask takes a cycle between
    the words. A word of the code comes in while the window holds no more elements than one.

    Members
    -------
    start : in, 1
        A LOAD begins.
    coded : in, 1
        Its payload is a code; taken with `start`.
    filling : in, 1
        The box wants more words, from the cycle after `start` on.
    last : in, 1
        The word on `code` is the last of the payload.
    busy : out, 1
        A code is under way.
    bad : out, 1
        It is damaged; only a reset helps.
    code : in, stream of LINK_WORD_BITS
        The payload.
    words : out, stream of LINK_WORD_BITS
        Words of the box.
    """

    def __init__(self, config: Config):
        word = stream.Signature(LINK_WORD_BITS)
        super().__init__(
            {
                "start": In(1),
                "coded": In(1),
                "filling": In(1),
                "last": In(1),
                "busy": Out(1),
                "bad": Out(1),
                "code": In(word),
                "words": Out(word),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = self.config.array.data_width
        elements = LINK_WORD_BITS // width  # of a link word
        window = Signal(2 * LINK_WORD_BITS)  # zeros after the elements that it holds
        held = Signal(range(2 * elements + 1))
        zero = Signal(width)
        mask = Signal(MASK_WORDS * elements)  # of the words to come
        position = Signal(range(MASK_WORDS))
        sealed = Signal()  # the check word has come
        need, word, wrong = self._word(window, zero, mask, elements)
        wanted = Signal(range(elements + 1))  # elements that the next step takes
        ready, takes = Signal(), Signal()  # it could be taken; it is
        m.d.comb += [
            ready.eq(held >= wanted),
            self.words.valid.eq(self.code.valid),
            self.words.payload.eq(self.code.payload),
            self.code.ready.eq(self.words.ready),
        ]
        with m.If(self.busy):
            m.d.comb += [
                self.words.valid.eq(0),
                self.words.payload.eq(word),
                self.code.ready.eq(~sealed & (self.last | (held <= elements))),
            ]
        self._window(m, window, held, Mux(takes, wanted, 0))
        self._check(m, sealed)
        starved = sealed & ~ready
        with m.FSM():
            with m.State("IDLE"), m.If(self.start & self.coded):
                m.d.sync += self.busy.eq(1)
                m.next = "ZERO"
            with m.State("ZERO"):
                m.d.comb += [wanted.eq(1), takes.eq(ready)]
                m.d.sync += zero.eq(window[:width])
                self._spoil(m, starved)
                with m.If(takes):
                    m.next = "MASK"
            with m.State("MASK"):
                m.d.comb += [wanted.eq(len(mask) // width), takes.eq(ready & self.filling)]
                with m.If(~self.filling):
                    m.next = "REST"
                with m.Else():
                    self._spoil(m, starved)
                with m.If(takes):
                    m.d.sync += [mask.eq(window[: len(mask)]), position.eq(0)]
                    m.next = "WORDS"
            with m.State("WORDS"):
                m.d.comb += [
                    wanted.eq(need),
                    self.words.valid.eq(ready & self.filling),
                    takes.eq(self.words.valid & self.words.ready),
                ]
                with m.If(~self.filling):
                    m.next = "REST"
                with m.Else():
                    self._spoil(m, starved | (takes & wrong))
                with m.If(takes):
                    m.d.sync += [mask.eq(mask >> elements), position.eq(position + 1)]
                    with m.If(position == MASK_WORDS - 1):
                        m.next = "MASK"
            with m.State("REST"):
                # All that may be left is the zeros of the last link word.
                rest = (mask != 0) | (held >= elements) | (window != 0)
                self._spoil(m, rest)
                with m.If(sealed & ~rest & ~self.bad):
                    m.d.sync += [self.busy.eq(0), held.eq(0), sealed.eq(0)]
                    m.next = "IDLE"
        return m

    def _spoil(self, m: Module, found: Value) -> None:
        with m.If(found):
            m.d.sync += self.bad.eq(1)

    def _word(self, window: Signal, zero: Signal, mask: Signal, elements: int):
        """(elements that the next word takes, the word, whether one of them should be left out)."""
        width = len(zero)
        before: Value | int = 0
        lanes, wrong = [], []
        for lane in range(elements):
            # Of the elements that are left, a lane's is one of the first `lane + 1`.
            element = window[: (lane + 1) * width].word_select(before, width)
            lanes.append(Mux(mask[lane], element, zero))
            wrong.append(mask[lane] & (element == zero))
            before = sum(mask[i] for i in range(lane + 1))
        return before, Cat(*lanes), Cat(*wrong).any()

    def _window(self, m: Module, window: Signal, held: Signal, taken: Value) -> None:
        """Take elements out of the window, and put a word of the code after those that stay."""
        width = self.config.array.data_width
        elements = LINK_WORD_BITS // width
        stays = Signal.like(window)
        left = Signal.like(held)
        comes = self.busy & self.code.valid & self.code.ready & ~self.last
        places = range(2 * elements)
        shifted = Cat(window, Cat(0 for _ in range(len(window))))
        m.d.comb += [
            left.eq(held - taken),
            stays.eq(shifted >> (taken * width)),
        ]
        m.d.sync += [window.eq(stays), held.eq(left + Mux(comes, elements, 0))]
        with m.If(comes), m.Switch(left):
            for place in places[: elements + 1]:
                with m.Case(place):
                    m.d.sync += window.eq(stays | (self.code.payload << (place * width)))

    def _check(self, m: Module, sealed: Signal) -> None:
        """Compare the check word with the words before it."""
        check = Signal(LINK_WORD_BITS)
        with m.If(self.busy & self.code.valid & self.code.ready):
            m.d.sync += check.eq((check ^ self.code.payload).rotate_left(1))
            with m.If(self.last):
                m.d.sync += [sealed.eq(1), check.eq(0)]
                self._spoil(m, check != self.code.payload)
