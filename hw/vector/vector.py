"""The vector engine: element-wise operations and pooling on the global buffer."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.arch.commands import ADDRESS, VECTOR, VectorOp
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.base.block import Block
from hw.base.layouts import layout
from hw.post.items import PARAM_ROW, item_layout
from hw.vector.address import WindowWalker, is_binary
from hw.vector.lanes import LaneReducer, reduced_layout, value_width
from hw.vector.reader import REQUEST, WindowReader
from hw.vector.tables import TABLE_WRITE, AddTables


class VectorEngine(Block):
    """Executes a VECTOR command as `docs/architecture.md` describes, up to requantisation.

    Windows are walked (`WindowWalker`), read (`WindowReader`), folded to one value a lane
    (`LaneReducer`), and issued here, `post.units` lanes a cycle. A window of which nothing exists
    gives 0. Accumulators are the low `acc_width` bits of the exact value. ADD needs 8-bit data;
    ADD16 is for 16-bit data, whose operands are signed and have no zero points.

    Throughput: a window of w words (2 for ADD, ADD16, MUL) takes max(w, G) cycles, with
    G = L / `post.units` items a window. Latency: the first item is valid 8 + n + r + w cycles after
    `start`, n the bits of the larger of stride_y and |y| (the latter for MAX and SUM), r the cycles
    from a request to its response. Thus `busy` is high for

        7 + n + r + w + (windows - 1)·max(w, G) + G

    cycles when windows are equal. Measured with L = 8 and r = 2: an ADD of 64 words 524, 268, 140
    and 139 cycles for `post.units` 1, 2, 4 and 8; MAX of 64 windows of 2x2 words 527, 271, 269 and
    268.

    Parameters
    ----------
    config : Config
    acc_width : int
        Bits of the accumulators in the items, at least 32.
    in_flight : int
        Words requested ahead; at least two more than the read latency for full throughput.

    Members
    -------
    descriptor : in, layout(VECTOR)
        Stable while `busy`, and in the cycle of `start`.
    bank : in, 1
        Handed on with every item; stable like `descriptor`.
    start : in, 1
        Begin, while not `busy`.
    busy : out, 1
        High from the cycle after `start` until the last item has been taken.
    table : in, TABLE_WRITE, if config.array.data_width == 8
        Fills the tables of ADD, while no ADD is running.
    requests : out, stream of REQUEST
        Buffer words to be read.
    responses : in, stream of {data: config.buffer.width}
        Their contents in the same order; always ready.
    items : out, stream of item_layout(config, acc_width)
        All `post.units` accumulators of an item count, also those after the last channel.

    Raises
    ------
    RowforgeError
        For accumulators that are too narrow.
    """

    def __init__(self, config: Config, *, acc_width: int = 32, in_flight: int = 8):
        if acc_width < 32:
            raise RowforgeError(f"accumulator width must be at least 32 bits, not {acc_width!r}")
        self._config = config
        self._acc_width = acc_width
        self._in_flight = in_flight
        self._reduced = reduced_layout(config)
        self._groups = config.lanes // config.post.units
        tables = {"table": In(TABLE_WRITE)} if config.array.data_width == 8 else {}
        super().__init__(
            {
                "descriptor": In(layout(VECTOR)),
                "bank": In(1),
                "start": In(1),
                "busy": Out(1),
                **tables,
                "requests": Out(stream.Signature(REQUEST)),
                "responses": In(stream.Signature(data.StructLayout({"data": config.buffer.width}))),
                "items": Out(stream.Signature(item_layout(config, acc_width))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        walker, reader, reducer = self._front(m)
        reduced = reducer.reduced
        group = Signal(range(self._groups))
        last: Value = group == self._groups - 1
        fetched = Signal()  # operands are registered, and look-ups under way
        advance = Signal()
        m.d.comb += [
            advance.eq(~self.items.valid | self.items.ready),
            reduced.ready.eq(advance & last),
            self.busy.eq(walker.busy | reader.busy | reducer.busy | fetched | self.items.valid),
        ]
        with m.If(advance):
            m.d.sync += [fetched.eq(reduced.valid), self.items.valid.eq(fetched)]
            with m.If(reduced.valid):
                m.d.sync += group.eq(Mux(last, 0, group + 1))
        self._place(m, reduced, group, advance)
        self._compute(m, reduced, group, advance)
        return m

    def _front(self, m: Module) -> tuple[WindowWalker, WindowReader, LaneReducer]:
        """The blocks in front of the issue, chained up."""
        config, command = self._config, self.descriptor
        m.submodules.walker = walker = WindowWalker(map_bits=config.control.map_bits)
        m.submodules.reader = reader = WindowReader(
            glb_width=config.buffer.width, in_flight=self._in_flight
        )
        m.submodules.reducer = reducer = LaneReducer(config)
        m.d.comb += [
            walker.descriptor.eq(command),
            walker.start.eq(self.start),
            reader.binary.eq(is_binary(command.op)),
            reader.row_stride.eq(command.row_stride),
            reducer.descriptor.eq(command),
        ]
        wiring.connect(m, walker.windows, reader.windows)
        wiring.connect(m, reader.words, reducer.words)
        wiring.connect(m, wiring.flipped(self.requests), reader.requests)
        wiring.connect(m, wiring.flipped(self.responses), reader.responses)
        return walker, reader, reducer

    def _place(self, m: Module, reduced: stream.Interface, group: Signal, advance: Signal) -> None:
        """Where results go, and with which parameter row; registered twice like the values."""
        command, window = self.descriptor, reduced.payload
        plane, row, addr = Signal(ADDRESS), Signal(ADDRESS), Signal(ADDRESS)
        block = Signal(12)
        with m.If(self.start & ~self.busy):
            base = command.output
            m.d.sync += [plane.eq(base), row.eq(base), addr.eq(base), block.eq(0)]
        with m.Elif(reduced.valid & reduced.ready):
            next_plane = plane + command.plane
            next_row = row + command.output_row_stride
            with m.If(window.plane_end):
                m.d.sync += [plane.eq(next_plane), row.eq(next_plane), addr.eq(next_plane)]
                m.d.sync += block.eq(block + 1)
            with m.Elif(window.row_end):
                m.d.sync += [row.eq(next_row), addr.eq(next_row)]
            with m.Else():
                m.d.sync += addr.eq(addr + 1)

        offset = Signal(PARAM_ROW)
        with m.If(command.by_count):
            m.d.comb += offset.eq(window.count)
        with m.Elif(command.by_channel):
            m.d.comb += offset.eq(Cat(group, block))
        place = Signal(
            data.StructLayout({"addr": ADDRESS, "lane": self.items.payload.lane.shape(), "row": 16})
        )
        item = self.items.payload
        with m.If(advance):
            m.d.sync += [
                place.addr.eq(addr),
                place.lane.eq(Cat(Const(0, exact_log2(self._config.post.units)), group)),
                place.row.eq(command.param + offset),
                item.addr.eq(place.addr),
                item.lane.eq(place.lane),
                item.row.eq(place.row),
                item.bank.eq(self.bank),
                item.mask.eq(-1),
            ]

    def _compute(
        self, m: Module, reduced: stream.Interface, group: Signal, advance: Signal
    ) -> None:
        """Two ranks: operands and look-ups, then one product or sum a unit."""
        window, wanted = reduced.payload, reduced.valid
        config, op = self._config, self.descriptor.op
        units, narrow = config.post.units, config.operand_width
        width = value_width(config)
        groups = data.ArrayLayout(data.ArrayLayout(signed(width), units), self._groups)
        chosen = data.View(groups, window.values.as_value())[group]
        values = Signal(data.ArrayLayout(signed(width), units))
        with m.If(advance):
            m.d.sync += values.eq(chosen)
        if config.array.data_width == 8:
            m.submodules.tables = tables = AddTables(units=units)
            wiring.connect(m, wiring.flipped(self.table), tables.write)
            # A look-up costs energy: none without operands, none for other operations.
            m.d.comb += tables.en.eq(advance & wanted & (op == VectorOp.ADD))
            for unit in range(units):
                operands = chosen[unit].as_unsigned()
                m.d.comb += tables.left[unit].eq(operands[:8])
                m.d.comb += tables.right[unit].eq(operands[narrow : narrow + 8])
        for unit in range(units):
            total = Signal(signed(self._acc_width), name=f"total_{unit}")
            value = values[unit].as_unsigned()
            left, right = value[:narrow].as_signed(), value[narrow : 2 * narrow].as_signed()
            with m.Switch(op):
                with m.Case(VectorOp.MUL):
                    m.d.comb += total.eq(left * right)
                with m.Case(VectorOp.ADD16):
                    m.d.comb += total.eq(left + right)
                if config.array.data_width == 8:
                    with m.Case(VectorOp.ADD):
                        m.d.comb += total.eq(tables.left_addend[unit] + tables.right_addend[unit])
                with m.Default():
                    m.d.comb += total.eq(values[unit])
            with m.If(advance):
                m.d.sync += self.items.payload.acc[unit].eq(total)
