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
        """Counters, all of them downwards, and registers that say which are at their ends."""
        config = self.parameters
        words = bits_for(config.ifmap_spad)
        steps = Signal(bits_for(max(config.psum_spad // config.macs_per_pe, 1)))  # to come, with
        taps, channels = (Signal(words, name=name) for name in ("taps", "channels"))  # this one
        windows = Signal(16)
        unneeded = Signal(words)  # words to come that the next window does not need
        slot = Signal.like(self.operation.slot)
        first = Signal(init=1)  # first round of a psum
        last = Signal()  # and the last one
        last_step, last_tap, last_channel, last_window = (
            Signal(name=f"last_{name}") for name in ("step", "tap", "channel", "window")
        )
        m.d.comb += [
            self.word_done.eq(last_step),
            self.window_done.eq(last_step & last_tap),
            self.pass_done.eq(last_step & last_tap & last_window),
            self.word_free.eq(last_window | unneeded.any()),
            self.operation.slot.eq(slot),
            self.operation.first.eq(first),
            self.operation.last.eq(last),
            self.operation.head.eq(current.head),
            self.operation.zero_start.eq(current.zero),
            self.operation.tail.eq(current.tail),
            self.operation.window_shift.eq(current.window_shift),
        ]
        next_steps = Mux(last_step, current.steps, steps - 1)[: len(steps)]
        next_taps = Mux(last_tap, current.taps, taps - 1)[:words]
        next_channels = Mux(last_tap | last_channel, current.channels, channels - 1)[:words]
        with m.If(self.step):
            m.d.sync += [steps.eq(next_steps), last_step.eq(next_steps == 1), slot.eq(slot + 1)]
        with m.If(self.step & last_step):
            m.d.sync += [
                taps.eq(next_taps),
                last_tap.eq(next_taps == 1),
                unneeded.eq(Mux(last_tap, current.advance, unneeded - unneeded.any())),
                channels.eq(next_channels),
                last_channel.eq(next_channels == 1),
                last.eq(Mux(current.diagonal, next_taps <= current.channels, next_taps == 1)),
            ]
            with m.If(last_tap):
                m.d.sync += [
                    slot.eq(0),
                    first.eq(1),
                    windows.eq(windows - 1),
                    last_window.eq(windows == 2),
                ]
            with m.Elif(last_channel | ~current.diagonal):
                m.d.sync += [slot.eq(0), first.eq(0)]
        with m.If(begin):
            new = self.config
            m.d.sync += [
                steps.eq(new.steps),
                taps.eq(new.taps),
                channels.eq(new.channels),
                windows.eq(new.windows),
                unneeded.eq(new.advance),
                last_step.eq(new.steps == 1),
                last_tap.eq(new.taps == 1),
                last_channel.eq(new.channels == 1),
                last_window.eq(new.windows == 1),
                last.eq(Mux(new.diagonal, new.taps <= new.channels, new.taps == 1)),
            ]
