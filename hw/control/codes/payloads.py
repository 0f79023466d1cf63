"""Payloads of LOAD and CONV, decoded on their way to where they belong."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.commands import START
from hw.arch.config import LINK_WORD_BITS, Config
from hw.base.block import Block
from hw.control.codes.unmasker import Unmasker

DECODED = next(field.width for field in START.fields if field.name == "decoded")


class Payloads(Block):
    """Passes on boxes and filters; with `link.coding` what comes may be their code.

    Decoder and box loader or prefetch FIFO are connected in the same cycle, or by the one decoder
    of codes, which serves one payload at a time.

    Members
    -------
    load : in, 1
        A LOAD begins.
    conv : in, 1
        A CONV begins.
    coded : in, 1
        The payload of that LOAD is a code; taken with `load`.
    decoded : in, DECODED
        Link words whose code the payload of that CONV is; 0: it is none. Taken with `conv`.
    filling : in, 1
        The box wants more words, from the cycle after `load` on.
    last : in, 1
        The word on offer is the last of the payload.
    busy : out, 1
        A code is under way, from the cycle after `load` or `conv` until all of it was right.
    bad : out, 1
        It is damaged; only a reset helps.
    load_code, filter_code : in, stream of LINK_WORD_BITS
        The payload; never both are valid.
    load_words, filter_words : out, stream of LINK_WORD_BITS
        What it stands for.
    """

    def __init__(self, config: Config):
        word = stream.Signature(LINK_WORD_BITS)
        super().__init__(
            {
                "load": In(1),
                "conv": In(1),
                "coded": In(1),
                "decoded": In(DECODED),
                "filling": In(1),
                "last": In(1),
                "busy": Out(1),
                "bad": Out(1),
                "load_code": In(word),
                "filter_code": In(word),
                "load_words": Out(word),
                "filter_words": Out(word),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if not self.config.link.codes:
            connect(m, flipped(self.load_code), flipped(self.load_words))
            connect(m, flipped(self.filter_code), flipped(self.filter_words))
            return m
        m.submodules.unmasker = unmasker = Unmasker(self.config)
        filters = Signal()  # the newest payload is one of CONV
        left = Signal(DECODED)  # words of filters that are still to come
        code, words = unmasker.code, unmasker.words
        m.d.comb += [
            unmasker.start.eq(self.load | self.conv),
            unmasker.coded.eq(Mux(self.conv, self.decoded != 0, self.coded)),
            unmasker.filling.eq(Mux(filters, left != 0, self.filling)),
            unmasker.last.eq(self.last),
            self.busy.eq(unmasker.busy),
            self.bad.eq(unmasker.bad),
            code.payload.eq(Mux(filters, self.filter_code.payload, self.load_code.payload)),
            code.valid.eq(Mux(filters, self.filter_code.valid, self.load_code.valid)),
            self.load_code.ready.eq(code.ready & ~filters),
            self.filter_code.ready.eq(code.ready & filters),
            self.load_words.payload.eq(words.payload),
            self.filter_words.payload.eq(words.payload),
            self.load_words.valid.eq(words.valid & ~filters),
            self.filter_words.valid.eq(words.valid & filters),
            words.ready.eq(Mux(filters, self.filter_words.ready, self.load_words.ready)),
        ]
        with m.If(self.load | self.conv):
            m.d.sync += [filters.eq(self.conv), left.eq(self.decoded)]
        with m.Elif(filters & words.valid & words.ready & (left != 0)):
            m.d.sync += left.eq(left - 1)
        return m
