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
        config = self.parameters
        words = bits_for(config.ifmap_spad)
        step = Signal(bits_for(max(config.psum_spad // config.macs_per_pe, 1)))
        tap = Signal(words)
        channel = Signal(words)
        windows = Signal(config.map_bits)  # to come, the present one included
        slot = Signal.like(self.operation.slot)
        first_tap_row = Signal(init=1)  # tap is among the first `channels` of the window
        pixel_done = Signal()  # the word is the last one of its pixel
        last_window = Signal()
        m.d.comb += [
            self.word_done.eq(step + 1 == current.steps),
            self.window_done.eq(self.word_done & (tap + 1 == current.taps)),
            last_window.eq(windows == 1),
            self.pass_done.eq(self.window_done & last_window),
            self.word_free.eq(last_window | (tap < current.advance)),
            pixel_done.eq(channel + 1 == current.channels),
            self.operation.slot.eq(slot),
            self.operation.first.eq(Mux(current.diagonal, first_tap_row, tap == 0)),
            self.operation.last.eq(
                Mux(
                    current.diagonal,
                    tap + current.channels >= current.taps,
                    tap + 1 == current.taps,
                )
            ),
            self.operation.head.eq(current.head),
            self.operation.zero_start.eq(current.zero),
            self.operation.tail.eq(current.tail),
            self.operation.window_shift.eq(current.window_shift),
        ]
        with m.If(self.step):
            m.d.sync += [step.eq(step + 1), slot.eq(slot + 1)]
            with m.If(self.word_done):
                m.d.sync += [
                    step.eq(0),
                    tap.eq(tap + 1),
                    channel.eq(Mux(pixel_done, 0, channel + 1)),
                ]
                with m.If(pixel_done | ~current.diagonal):
                    m.d.sync += slot.eq(0)
                with m.If(pixel_done):
                    m.d.sync += first_tap_row.eq(0)
            with m.If(self.window_done):
                m.d.sync += [
                    tap.eq(0),
                    channel.eq(0),
                    first_tap_row.eq(1),
                    windows.eq(windows - 1),
                ]
        with m.If(begin):
            m.d.sync += windows.eq(self.config.windows)
