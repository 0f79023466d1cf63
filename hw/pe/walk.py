"""The FSM of a PE: which multiply step comes next, in which pass."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hw.arch.config import Config
from hw.elaboration import Block
from hw.pe.layouts import PassConfig


class Operation(data.StructLayout):
    """What the pipeline must know of a multiply step.

    `slot`: psum slot; `first`, `last`: first and last round of the window for this slot; `zero`:
    the activation stands for zero; `head`, `zero_start`, `tail`: the place of the PE in its chain.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "slot": range(max(config.psum_spad // config.macs_per_pe, 2)),
                "first": 1,
                "last": 1,
                "zero": 1,
                "head": 1,
                "zero_start": 1,
                "tail": 1,
                "window_shift": 5 if config.data_width == 16 else 0,
            }
        )


class WindowWalk(Block):
    """Counters over filters, ifmap words and windows of a pass, pass after pass.

    Members
    -------
    config, config_pass, started, running : as in `PE`
    step : the step shown is issued, go on
    operation : what the step is (`zero` is filled in elsewhere)
    word_done, window_done, pass_done : the step is the last one of its ifmap word, window, pass
    word_free : the ifmap word is not needed by the next window
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "config": In(PassConfig(config)),
                "config_pass": In(2),
                "started": Out(2),
                "running": Out(1),
                "step": In(1),
                "operation": Out(Operation(config)),
                "word_done": Out(1),
                "window_done": Out(1),
                "pass_done": Out(1),
                "word_free": Out(1),
            }
        )
        self.parameters = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.parameters
        current = Signal(PassConfig(config), reset_less=True)
        pending = Signal()
        m.d.comb += pending.eq(self.config_pass != self.started)
        begin = Signal()
        m.d.comb += begin.eq(pending & (~self.running | (self.step & self.pass_done)))
        with m.If(begin):
            m.d.sync += [
                current.eq(self.config),
                self.started.eq(self.started + 1),
                self.running.eq(self.config.active),
            ]
        with m.Elif(self.step & self.pass_done):
            m.d.sync += self.running.eq(0)
        self._count(m, current, begin)
        return m

    def _count(self, m: Module, current, begin: Signal) -> None:
        """Counters, and for each of them a register that says what a comparison would say."""
        config = self.parameters
        words = bits_for(config.ifmap_spad)
        step = Signal(bits_for(max(config.psum_spad // config.macs_per_pe, 1)))
        tap = Signal(words)
        channel = Signal(words)
        windows = Signal(16)  # to come, the present one included
        slot = Signal.like(self.operation.slot)
        first = Signal(init=1)  # first round of a psum
        last = Signal()  # and the last one
        last_step, last_tap, last_window = (
            Signal(name=name) for name in ("last_step", "last_tap", "last_window")
        )
        left_behind = Signal()  # the next window begins behind the word
        pixel_done = Signal()  # the word is the last one of its pixel
        following = Signal(words + 1)  # the next tap
        m.d.comb += [
            following.eq(Mux(last_tap, 0, tap + 1)),
            self.word_done.eq(last_step),
            self.window_done.eq(last_step & last_tap),
            self.pass_done.eq(last_step & last_tap & last_window),
            self.word_free.eq(last_window | left_behind),
            self.operation.slot.eq(slot),
            self.operation.first.eq(first),
            self.operation.last.eq(last),
            self.operation.head.eq(current.head),
            self.operation.zero_start.eq(current.zero),
            self.operation.tail.eq(current.tail),
            self.operation.window_shift.eq(current.window_shift),
        ]
        with m.If(self.step):
            m.d.sync += [
                step.eq(Mux(last_step, 0, step + 1)),
                slot.eq(slot + 1),
                last_step.eq(Mux(last_step, current.steps == 1, step + 2 == current.steps)),
            ]
        with m.If(self.step & last_step):
            over = last_tap | pixel_done
            m.d.sync += [
                tap.eq(following),
                last_tap.eq(following + 1 == current.taps),
                left_behind.eq(following < current.advance),
                channel.eq(Mux(over, 0, channel + 1)),
                pixel_done.eq(Mux(over, current.channels == 1, channel + 2 == current.channels)),
                last.eq(
                    Mux(
                        current.diagonal,
                        following + current.channels >= current.taps,
                        following + 1 == current.taps,
                    )
                ),
            ]
            with m.If(last_tap):
                m.d.sync += [
                    slot.eq(0),
                    first.eq(1),
                    windows.eq(windows - 1),
                    last_window.eq(windows == 2),
                ]
            with m.Elif(pixel_done | ~current.diagonal):
                m.d.sync += [slot.eq(0), first.eq(0)]
        with m.If(begin):
            new = self.config
            m.d.sync += [
                windows.eq(new.windows),
                last_step.eq(new.steps == 1),
                last_tap.eq(new.taps == 1),
                last_window.eq(new.windows == 1),
                left_behind.eq(new.advance != 0),
                pixel_done.eq(new.channels == 1),
                last.eq(Mux(new.diagonal, new.channels >= new.taps, new.taps == 1)),
            ]
