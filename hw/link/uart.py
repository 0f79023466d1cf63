"""An asynchronous serial line: 8 data bits, no parity, one stop bit."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.errors import RowforgeError
from hw.base.block import Block
from hw.base.queue import Queue

_PARTS = 16  # of a clock cycle, in which bit times are counted: any rate, without drift
_LEAST = 4  # clock cycles in a bit
_DATA_BITS = 8
_BUFFERED = 4  # bytes received that nobody has taken yet


def bit_time(clock: float, baud: float) -> int:
    """Parts of a clock cycle in a bit; `RowforgeError` for a line that is too fast or too slow."""
    if not 0 < baud <= clock / _LEAST or clock / baud >= 1 << 20:
        raise RowforgeError(
            f"baud must be at most {clock / _LEAST:.0f} (a quarter of the clock) and at least "
            f"{clock / (1 << 20):.0f}, not {baud:.0f}"
        )
    return round(_PARTS * clock / baud)


class UartReceiver(Block):
    """Bytes from a line. A byte without a stop bit, or one that nobody takes in time, is lost.

    Parameters
    ----------
    bit_time : int
        Of `bit_time`.

    Members
    -------
    line : in, 1
        The pin, not synchronised.
    output : out, stream of 8
        Bytes from the line.
    """

    def __init__(self, *, bit_time: int):
        super().__init__({"line": In(1, init=1), "output": Out(stream.Signature(8))})
        self.bit_time = bit_time

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = Queue(8, depth=_BUFFERED)
        connect(m, queue.output, flipped(self.output))
        first, level = Signal(init=1), Signal(init=1)  # against metastability
        timer = Signal(range(2 * self.bit_time + _PARTS))
        character = _Character(
            byte=Signal(_DATA_BITS, name="byte"), left=Signal(range(_DATA_BITS + 1), name="left")
        )
        due = timer < _PARTS
        m.d.sync += [first.eq(self.line), level.eq(first)]
        m.d.comb += queue.input.payload.eq(character.byte)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [timer.eq(self.bit_time // 2), character.left.eq(_DATA_BITS)]
                with m.If(~level):
                    m.next = "START"
            for state in ("START", "DATA", "STOP"):
                with m.State(state):
                    m.d.sync += timer.eq(timer - _PARTS)
                    with m.If(due):
                        m.d.sync += timer.eq(timer + (self.bit_time - _PARTS))
                        self._sample(m, state, level, character, queue)
            with m.State("BREAK"):
                with m.If(level):
                    m.next = "IDLE"
        return m

    def _sample(
        self, m: Module, state: str, level: Signal, character: "_Character", queue: Queue
    ) -> None:
        """The middle of a bit, where an edge that comes early or late does no harm."""
        byte, left = character.byte, character.left
        if state == "START":
            m.next = "DATA"
            with m.If(level):
                m.next = "IDLE"
        elif state == "DATA":
            m.d.sync += [byte.eq(Cat(byte[1:], level)), left.eq(left - 1)]
            with m.If(left == 1):
                m.next = "STOP"
        else:
            m.d.comb += queue.input.valid.eq(level)
            m.next = "BREAK"
            with m.If(level):
                m.next = "IDLE"


@dataclass(frozen=True)
class _Character:
    """A character under way: the bits that have come, from the top down, and those to come."""

    byte: Signal
    left: Signal


class UartTransmitter(Block):
    """Bytes onto a line.

    Timing
    ------
    The byte 5 where a bit takes one cycle: start bit, eight data bits, stop bit.

        cycle           0   1   2   3   4   5   6   7   8   9  10  11  12
        input.valid     1   1   0   0   0   0   0   0   0   0   0   0   0
        input.payload   5   5   .   .   .   .   .   .   .   .   .   .   .
        input.ready     1   0   0   0   0   0   0   0   0   0   0   1   1
        line            1   1   0   1   0   1   0   0   0   0   0   1   1

    Parameters
    ----------
    bit_time : int
        Of `bit_time`.

    Members
    -------
    input : in, stream of 8
        Bytes for the line.
    line : out, 1
        The pin.
    """

    def __init__(self, *, bit_time: int):
        super().__init__({"input": In(stream.Signature(8)), "line": Out(1, init=1)})
        self.bit_time = bit_time

    def elaborate(self, platform: object) -> Module:
        m = Module()
        timer = Signal(range(2 * self.bit_time + _PARTS))
        bits = Signal(_DATA_BITS + 1)
        left = Signal(
            range(_DATA_BITS + 3)
        )  # bits to come, the start bit's and stop bit's included
        due = timer < _PARTS
        m.d.comb += self.input.ready.eq((left == 0) & due)
        with m.If(~due):
            m.d.sync += timer.eq(timer - _PARTS)
        with m.Elif(left != 0):
            m.d.sync += [
                self.line.eq(bits[0]),
                bits.eq(Cat(bits[1:], 1)),
                left.eq(left - 1),
                timer.eq(timer + (self.bit_time - _PARTS)),
            ]
        with m.Elif(self.input.valid):
            m.d.sync += [bits.eq(Cat(0, self.input.payload)), left.eq(_DATA_BITS + 2)]
        return m
