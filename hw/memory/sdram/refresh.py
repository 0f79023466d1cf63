"""When an SDRAM is to be refreshed."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from hw.arch.sdram import POSTPONED
from hw.base.block import Block


class RefreshTimer(Block):
    """Counts the refreshes that an SDRAM is owed: one more each interval, one less each `done`.

    Timing
    ------
    An interval of 3 cycles, and a refresh that is made at once.

        cycle  0  1  2  3  4  5  6  7
        done   0  0  0  0  1  0  0  0
        owed   0  0  0  1  1  0  1  1
        late   0  0  0  0  0  0  0  0

    Parameters
    ----------
    interval : int
        Cycles between two refreshes, at least 2.
    most : int
        Refreshes that may be owed at any time.

    Members
    -------
    done : in, 1
        A refresh is made.
    owed : out, range(most + 1)
        Refreshes to be made.
    late : out, 1
        So many that they are to be made before anything else.
    """

    def __init__(self, *, interval: int, most: int):
        super().__init__({"done": In(1), "owed": Out(range(most + 1)), "late": Out(1)})
        self.interval = interval
        self.most = most

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(range(self.interval), init=self.interval - 1)
        tick = Signal()
        m.d.comb += [tick.eq(left == 0), self.late.eq(self.owed >= POSTPONED)]
        m.d.sync += [left.eq(left - 1), self.owed.eq(self.owed + tick - self.done)]
        with m.If(tick):
            m.d.sync += left.eq(self.interval - 1)
        return m
