"""What a PE that skips zeros must know of a pass, and how it walks through it."""

from amaranth.hdl import Module, Mux, Signal, ValueLike
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
    only if `diagonal`. `steps`, `taps`, `advance`: those of `CONSTANTS`.
    """

    def __init__(self, config: Config):
        slots = config.pe.psum_spad // config.pe.macs
        words = range(config.pe.ifmap_spad + 1)
        super().__init__(
            {
                "step_end": end_shape(slots),
                "slot_end": end_shape(slots),
                "last_tap": end_shape(config.pe.ifmap_spad),
                "steps": range(slots + 1),
                "taps": words,
                "advance": words,
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
        **{name: constants[name] for name in ("steps", "taps", "advance", "diagonal", "windows")},
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
    config, config_pass, started, running, step, operation, word_done, window_done, pass_done,
    word_free, release : see WindowWalk
    valid, offset, follows, following, lead : in, 1, number_bits(config), 1, and twice that
        As a `NonzeroRing` says.
    available : out, 1
        There is something to do: the word at hand, or all words have come.
    used : out, 1
        It is the ring's entry.
    move : out, number_bits(config)
        Words from this window's first one to the next one's.
    index : out, range(config.filter_half // config.pe.macs)
        Which of the pass's weights the step takes, `pe.macs` at a time.
    """

    def __init__(self, config: Config):
        bits = number_bits(config)
        super().__init__(
            config,
            SkippingPass(config),
            valid=In(1),
            offset=In(bits),
            follows=In(1),
            following=In(bits),
            lead=In(bits),
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
        inside, arrived, last_word = Signal(), Signal(), Signal()
        here = Signal.like(self.offset)
        m.d.comb += [
            inside.eq(self.valid & (self.offset < current.taps)),
            self.used.eq(Mux(current.diagonal, self.valid & (self.offset == tap), inside)),
            arrived.eq(
                Mux(current.diagonal, self.lead > tap, inside | (self.lead >= current.taps))
            ),
            self.available.eq(arrived),
            here.eq(Mux(current.diagonal, tap, self.offset)),
            self.word_free.eq((here < current.advance) | last_window),
            self.move.eq(Mux(last_window, current.taps, current.advance)),
            self.operation.first.eq(first),
            self.operation.last.eq(last_word),
            self.window_done.eq(last_word & round_done),
        ]
        self._last(m, current, tap, inside, fresh, last_word)
        self._index(m, current, here)
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
        inside: Signal,
        fresh: Signal,
        last_word: Signal,
    ) -> None:
        """Whether the round is the window's last, as is known when it begins."""
        decided, seen, last_begun = Signal(), Signal(), Signal()
        complete = Signal()  # no entry of the window comes after the one at hand
        m.d.comb += [
            complete.eq(
                Mux(self.follows, self.following, self.lead) >= current.taps
            ),
            seen.eq(~inside | complete),
            last_word.eq(
                Mux(
                    current.diagonal,
                    last_begun | at_once(current.last_tap),
                    Mux(fresh, seen, decided),
                )
            ),
        ]
        with m.If(self.step & fresh):
            m.d.sync += decided.eq(seen)
        with m.If(self.step & self.word_done):
            m.d.sync += last_begun.eq(last_begun | reaches(tap, current.last_tap))
        with m.If(self.step & self.window_done):
            m.d.sync += last_begun.eq(0)

    def _index(self, m: Module, current: data.View, here: Signal) -> None:
        """The weights of the step: those of the words before it, and of its own steps so far."""
        slots = max(self.parameters.pe.psum_spad // self.parameters.pe.macs, 2)
        done = Signal(range(slots))  # steps of the word
        m.d.comb += self.index.eq(here * current.steps + done)
        with m.If(self.step):
            m.d.sync += done.eq(Mux(self.word_done, 0, done + 1))
