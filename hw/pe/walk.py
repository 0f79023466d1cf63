"""The FSM of a dense PE: which multiply step comes next, in which pass."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Member, Out

from hw.arch.config import Config
from hw.base.block import Block
from hw.pe.layouts import at_once, reaches
from hw.pe.passes import DensePass
from hw.pe.pe import PassConfig


class MultiplyStep(data.StructLayout):
    """What the pipeline must know of a multiply step.

    `slot`: psum slot; `first`, `last`: first and last round of the window for this slot; `zero`:
    the activation stands for zero; `head`, `zero_start`, `tail`: the place of the PE in its chain.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "slot": range(max(config.pe.psum_spad // config.pe.macs, 2)),
                "first": 1,
                "last": 1,
                "zero": 1,
                "head": 1,
                "zero_start": 1,
                "tail": 1,
                "window_shift": 5 if config.array.data_width == 16 else 0,
            }
        )


class WindowWalk(Block):
    """Counters over filters, ifmap words and windows of a pass, pass after pass.

    Whether a step is the last of its word, round, window or pass is known from registers, which a
    step sets for the next one: no path leads from `step` through a comparison or a sum.

    Members
    -------
    config : in, DensePass(config)
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
    """

    def __init__(self, config: Config, layout: PassConfig | None = None, **ports: Member):
        """`layout`, `ports`: of the pass and besides, of walks that need more than this one."""
        self.layout = layout or DensePass(config)
        super().__init__(
            {
                "config": In(self.layout),
                "config_pass": In(2),
                "started": Out(2),
                "running": Out(1),
                "step": In(1),
                "operation": Out(MultiplyStep(config)),
                "word_done": Out(1),
                "window_done": Out(1),
                "pass_done": Out(1),
                "word_free": Out(1),
                "release": Out(1),
                **ports,
            }
        )
        self.parameters = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.parameters
        current = Signal(self.layout, reset_less=True)
        # `step` comes late: whatever else decides is brought together before it.
        pending, idle, follows = Signal(), Signal(), Signal()
        begin, leaves = Signal(), Signal()
        m.d.comb += [
            pending.eq(self.config_pass != self.started),
            idle.eq(pending & ~self.running),
            # With `control.pipeline` a PE rests a cycle, so that handshakes do not reach `current`.
            follows.eq(0 if config.control.pipeline else pending & self.pass_done),
            begin.eq(idle | (self.step & follows)),
            leaves.eq(idle | (self.step & self.pass_done)),
        ]
        with m.If(begin):
            m.d.sync += [current.eq(self.config), self.started.eq(self.started + 1)]
        with m.If(leaves):
            m.d.sync += self.running.eq((idle | follows) & self.config.active)
        last_window = self._windows(m, current, begin)
        round_done = self._rounds(m, current)
        self._words(m, current, round_done, last_window)
        m.d.comb += [
            self.pass_done.eq(self.window_done & last_window),
            self.release.eq(current.release),
            self.operation.head.eq(current.head),
            self.operation.zero_start.eq(current.zero),
            self.operation.tail.eq(current.tail),
            self.operation.window_shift.eq(current.window_shift),
        ]
        return m

    def _windows(self, m: Module, current, begin: Signal) -> Signal:
        """Count the windows down; returns "this is the last one".

        The counter is negative in the last window. A cycle after a pass has begun it takes in the
        number of windows, through its adder, which is cheaper than a choice between two values;
        meanwhile `single` says whether there is only one.
        """
        behind = 1 << (self.parameters.control.map_bits + 1)
        more = Signal(range(behind), init=behind - 3, reset_less=True)  # windows to come, less 2
        change = Signal.like(more, init=behind - 1)  # number of windows, else -1
        stays = Signal()
        last = Signal(name="last_window")
        m.d.comb += [
            stays.eq(~(self.step & self.window_done)),
            last.eq(current.single | (more[-1] & change[-1])),
        ]
        with m.If(begin):
            m.d.sync += [more.eq(more.init), change.eq(self.config.windows)]
        with m.Else():
            m.d.sync += [
                more.eq((Cat(1, more) + Cat(stays, change))[1:]),  # `stays` is carried in
                change.eq(change.init),
            ]
        return last

    def _rounds(self, m: Module, current) -> Signal:
        """Count the steps of a word and of a round; returns "the last one of its round"."""
        slots = max(self.parameters.pe.psum_spad // self.parameters.pe.macs, 2)
        slot, step = (Signal(range(slots), name=name) for name in ("slot", "step_index"))
        word_ends, round_ends, round_done = (
            Signal(name=name) for name in ("word_ends", "round_ends", "round_done")
        )
        m.d.comb += [
            self.operation.slot.eq(slot),
            self.word_done.eq(word_ends | at_once(current.step_end)),
            round_done.eq(round_ends | at_once(current.slot_end)),
        ]
        with m.If(self.step):
            m.d.sync += [
                step.eq(step + 1),
                slot.eq(slot + 1),
                word_ends.eq(reaches(step, current.step_end)),
                round_ends.eq(reaches(slot, current.slot_end)),
            ]
        with m.If(self.step & self.word_done):  # apart from the others: a reset of the registers
            m.d.sync += step.eq(0)
        with m.If(self.step & round_done):
            m.d.sync += slot.eq(0)
        return round_done

    def _words(self, m: Module, current, round_done: Signal, last_window: Signal) -> None:
        """Count the ifmap words of a window."""
        tap = Signal(range(max(self.parameters.pe.ifmap_spad, 2)))
        first = Signal(init=1)
        last_begun = Signal()  # the last round, if it is not the first
        free = Signal(init=1)  # tap is less than the window's advance
        m.d.comb += [
            self.window_done.eq(self.operation.last & round_done),
            self.word_free.eq(free | last_window),
            self.operation.first.eq(first),
            self.operation.last.eq(last_begun | at_once(current.last_tap)),
        ]
        with m.If(self.step & round_done):
            m.d.sync += first.eq(self.operation.last)
        with m.If(self.step & self.word_done):
            m.d.sync += [
                tap.eq(tap + 1),
                last_begun.eq(last_begun | reaches(tap, current.last_tap)),
                free.eq(free & (tap != current.last_free)),
            ]
        with m.If(self.step & self.window_done):
            m.d.sync += [tap.eq(0), last_begun.eq(0), free.eq(1)]
