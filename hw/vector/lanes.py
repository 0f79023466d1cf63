"""Reduces the words of a window to one value a lane."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.arch.commands import VECTOR, VectorOp
from hw.arch.config import Config
from hw.base.block import Block
from hw.base.layouts import layout
from hw.vector.address import is_binary
from hw.vector.reader import word_layout

COUNT_BITS = 16


def value_width(config: Config) -> int:
    """Bits of a lane's value: a sum of 2^16 operands, or the two operands side by side."""
    return {8: 25, 16: 32}[config.array.data_width]


def reduced_layout(config: Config) -> data.StructLayout:
    """A reduced window.

    Members
    -------
    values : array of signed
        MAX, SUM: the result of each lane (0 for a window without words). Others: the left operand
        in the low `operand_width` bits, the right operand above, both less their zero points
        except for ADD.
    count : 16 bits
        Words in the window, less 1.
    row_end, plane_end : 1
        The window ends an output row, a block.
    """
    return data.StructLayout(
        {
            "values": data.ArrayLayout(signed(value_width(config)), config.lanes),
            "count": COUNT_BITS,
            "row_end": 1,
            "plane_end": 1,
        }
    )


class LaneReducer(Block):
    """Subtracts zero points and folds the words of each window, all lanes at once.

    16-bit operands are signed and have no zero points. One window is folded while the result of
    the one before waits to be taken.

    Throughput: one word a cycle. Latency: 2 cycles from a window's last word to `reduced`.

    Members
    -------
    descriptor : in, layout(VECTOR)
        Stable while `busy`.
    busy : out, 1
        Words or results are held.
    words : in, stream of word_layout(config.buffer.width)
        Buffer words of windows in order.
    reduced : out, stream of reduced_layout(config)
        One result for each window.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "descriptor": In(layout(VECTOR)),
                "busy": Out(1),
                "words": In(stream.Signature(word_layout(config.buffer.width))),
                "reduced": Out(stream.Signature(reduced_layout(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        operands = Signal(data.ArrayLayout(signed(config.operand_width), config.lanes))
        starts = Signal(init=1)  # the next word to come is the first one of a window
        valid, first, last = Signal(), Signal(), Signal()
        row_end, plane_end = Signal(), Signal()
        step = Signal()
        token = self.words.payload.token
        m.d.comb += [
            # Only a window's last word needs the result's register, so folding goes on meanwhile.
            step.eq(valid & (~last | ~self.reduced.valid | self.reduced.ready)),
            self.words.ready.eq(~valid | step),
            self.busy.eq(valid | self.reduced.valid),
        ]
        with m.If(self.words.ready):
            m.d.sync += [
                valid.eq(self.words.valid),
                first.eq(starts),
                last.eq(token.last),
                row_end.eq(token.row_end),
                plane_end.eq(token.plane_end),
            ]
            self._subtract(m, operands, is_left=starts)
        with m.If(self.words.ready & self.words.valid):
            m.d.sync += starts.eq(token.last)
        with m.If(self.reduced.ready):
            m.d.sync += self.reduced.valid.eq(0)
        with m.If(step & last):
            m.d.sync += [
                self.reduced.valid.eq(1),
                self.reduced.payload.row_end.eq(row_end),
                self.reduced.payload.plane_end.eq(plane_end),
            ]
        self._fold(m, operands, first=first, last=last, step=step)
        return m

    def _subtract(self, m: Module, operands: data.View, *, is_left: Signal) -> None:
        """Stored lanes less the zero point of their operand; 0 for a word that is none."""
        config, command = self._config, self.descriptor
        word = self.words.payload
        stored = data.View(data.ArrayLayout(config.array.data_width, config.lanes), word.data)
        zero = Signal(signed(config.operand_width))
        if config.array.data_width == 8:
            table = command.op == VectorOp.ADD
            second = (command.op == VectorOp.MUL) & ~is_left
            # ADD looks up what is stored: its tables have the zero points in them.
            m.d.comb += zero.eq(Mux(table, 0, Mux(second, command.right_zero, command.left_zero)))
        for lane in range(config.lanes):
            sign = stored[lane][-1] & (command.signed | (config.array.data_width == 16))
            value = Cat(stored[lane], sign).as_signed()
            m.d.sync += operands[lane].eq(Mux(word.token.empty, 0, value - zero))

    def _fold(
        self, m: Module, operands: data.View, *, first: Signal, last: Signal, step: Signal
    ) -> None:
        """The accumulators; a window's last sum goes straight to `reduced`."""
        config, op = self._config, self.descriptor.op
        width = value_width(config)
        narrow = config.operand_width
        binary = is_binary(op)
        sums = Signal(data.ArrayLayout(signed(width), config.lanes))
        count, next_count = Signal(COUNT_BITS), Signal(COUNT_BITS)
        m.d.comb += next_count.eq(Mux(first, 0, count + 1))
        with m.If(step):
            m.d.sync += count.eq(next_count)
            with m.If(last):
                m.d.sync += self.reduced.payload.count.eq(next_count)
        for lane in range(config.lanes):
            new, old = operands[lane], sums[lane]
            kept = old.as_unsigned()[:narrow].as_signed()
            total = Signal(signed(width), name=f"total_{lane}")
            with m.If(first):
                m.d.comb += total.eq(new)
            with m.Elif(binary):
                m.d.comb += total.eq(Cat(kept, new))
            with m.Elif(op == VectorOp.MAX):
                m.d.comb += total.eq(Mux(new > kept, new, kept))
            with m.Else():
                m.d.comb += total.eq(old + new)
            with m.If(step):
                m.d.sync += old.eq(total)
                with m.If(last):
                    m.d.sync += self.reduced.payload.values[lane].eq(total)
