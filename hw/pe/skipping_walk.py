"""What a PE that skips zeros must know of a pass, and how it walks through it."""

from amaranth.hdl import Const, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from hw.arch.config import Config
from hw.pe.layouts import at_once, end_shape, reaches, round_words, segment_ends
from hw.pe.nonzero_ring import number_bits
from hw.pe.pe import PassConfig
from hw.pe.walk import WindowWalk


class SkippingPass(PassConfig):
    """`PassConfig` of a PE that skips zeros.

    `step_end`, `slot_end`, `windows`, `single`: see `DensePass`. `last_tap` likewise; it counts
    only if `diagonal`. `last_word`, `last_free`: the last word of a window, and the last one that
    the next window does not need. `steps`: those of `CONSTANTS`.
    """

    def __init__(self, config: Config):
        slots = config.pe.psum_spad // config.pe.macs
        words = range(max(config.pe.ifmap_spad, 2))
        super().__init__(
            {
                "step_end": end_shape(slots),
                "slot_end": end_shape(slots),
                "last_tap": end_shape(config.pe.ifmap_spad),
                "steps": range(slots + 1),
                "last_word": words,
                "last_free": words,
                "diagonal": 1,
                "windows": config.control.map_bits,
                "single": 1,
                "window_shift": 5 if config.array.data_width == 16 else 0,
            }
        )


def skipping_constants(config: Config, constants: data.View) -> dict[str, ValueLike]:
    """The fields of `SkippingPass` that follow from a pass table's `CONSTANTS`."""
    return {
        **segment_ends(config, constants),
        "last_tap": constants.taps - round_words(constants) - 1,
        "last_word": constants.taps - 1,
        "last_free": constants.advance - 1,
        **{name: constants[name] for name in ("steps", "diagonal", "windows")},
        "single": constants.windows == 1,
        "window_shift": constants.window_shift if config.array.data_width == 16 else 0,
    }


class SkippingWalk(WindowWalk):
    """`WindowWalk` over the words of a window that are not zero.

    A window has a round for each of them. If the last of its words come after the round of the
    last one that is not zero has begun, and if all are zero, a round of its own sends the psums:
    its step stands for a zero. It begins when all words have come, as the last word's round of a
    dense PE does, so that no window ends later than there. In a `diagonal` pass a zero has its
    steps as any word.

    Members
    -------
    config : in, SkippingPass(config)
        Configuration of the next pass to begin.
    config_pass : in, 2
        Its number modulo 4.
    started : out, 2
        Number modulo 4 of the pass last begun.
    running : out, 1
        A pass is under way.
    step : in, 1
        The step shown is issued, go on.
    operation : out, MultiplyStep(config)
        What the step is (`zero` is filled in elsewhere).
    word_done, window_done, pass_done : out, 1
        The step is the last one of its ifmap word, window, pass.
    word_free : out, 1
        The ifmap word is not needed by the next window.
    release : out, 1
        The pass's filters are not needed after it.
    valid : in, 1
        There is an entry in the ring.
    offset : in, number_bits(config)
        Its place in the window.
    known : in, number_bits(config)
        The place of the entry after it; if there is none, of the next word to come.
    available : out, 1
        There is something to do: the word at hand, or all words have come.
    used : out, 1
        It is the ring's entry.
    move : out, number_bits(config)
        Words between this window's first one and the next one's.
    index : out, range(config.filter_half // config.pe.macs)
        Which of the pass's weights the step takes, `config.pe.macs` at a time.
    """

    def __init__(self, config: Config):
        bits = number_bits(config)
        super().__init__(
            config,
            SkippingPass(config),
            valid=In(1),
            offset=In(bits),
            known=In(bits),
            available=Out(1),
            used=Out(1),
            move=Out(bits),
            index=Out(range(max(config.filter_half // config.pe.macs, 2))),
        )

    def _words(
        self, m: Module, current: data.View, round_done: Signal, last_window: Signal
    ) -> None:
        """Choose the word at hand; tell whether it is the last one of its window."""
        tap = Signal(range(max(self.parameters.pe.ifmap_spad, 2)))  # if `diagonal`
        first, fresh = Signal(init=1), Signal(init=1)  # round of the window; step of the round
        inside, behind, last_word = Signal(), Signal(), Signal()
        at_hand = self.valid & (self.offset == tap)
        m.d.comb += [
            inside.eq(self.valid & (self.offset <= current.last_word)),
            # All words have come, of the window or up to the one at hand.
            behind.eq(self.known > Mux(current.diagonal, tap, current.last_word)),
            self.used.eq(Mux(current.diagonal, at_hand, inside)),
            self.available.eq(behind | Mux(current.diagonal, self.valid, inside)),
            self.word_free.eq((self.offset <= current.last_free) | last_window),
            self.move.eq(Mux(last_window, current.last_word, current.last_free)),
            self.operation.first.eq(first),
            self.operation.last.eq(last_word),
            self.window_done.eq(last_word & round_done),
        ]
        self._last(m, current, tap, ~inside | behind, fresh, last_word)
        self._index(m, current)
        with m.If(self.step):
            m.d.sync += fresh.eq(round_done)
        with m.If(self.step & round_done):
            m.d.sync += first.eq(last_word)
        with m.If(self.step & self.word_done):
            m.d.sync += tap.eq(tap + 1)
        with m.If(self.step & self.window_done):
            m.d.sync += tap.eq(0)

    def _last(
        self,
        m: Module,
        current: data.View,
        tap: Signal,
        ends: Value,
        fresh: Signal,
        last_word: Signal,
    ) -> None:
        """Whether the round is the window's last, as is known when it begins: `ends`."""
        decided, last_begun = Signal(), Signal()
        m.d.comb += last_word.eq(
            Mux(
                current.diagonal,
                last_begun | at_once(current.last_tap),
                Mux(fresh, ends, decided),
            )
        )
        with m.If(self.step & fresh):
            m.d.sync += decided.eq(ends)
        with m.If(self.step & self.word_done):
            m.d.sync += last_begun.eq(last_begun | reaches(tap, current.last_tap))
        with m.If(self.step & self.window_done):
            m.d.sync += last_begun.eq(0)

    def _index(self, m: Module, current: data.View) -> None:
        """The weights of the step: those of the words before it, and of its own steps so far.

        The product is a sum of its own: a hard multiplier would be as much as the PE's.
        """
        slots = max(self.parameters.pe.psum_spad // self.parameters.pe.macs, 2)
        bits = (self.parameters.pe.ifmap_spad - 1).bit_length()  # of the offset of a word in use
        done = Signal(range(slots))  # steps of the word
        before = sum((Mux(self.offset[i], current.steps << i, 0) for i in range(bits)), Const(0))
        m.d.comb += self.index.eq(before + done)
        with m.If(self.step):
            m.d.sync += done.eq(Mux(self.word_done, 0, done + 1))
