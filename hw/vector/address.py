"""Which windows of the buffer a VECTOR command reads, and where they start."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.arch.commands import ADDRESS, VECTOR, VectorOp
from hw.base.block import Block
from hw.base.layouts import layout

WINDOW_BITS = 12
"""Rows or columns of a window."""

WINDOW = data.StructLayout(
    {
        "left": ADDRESS,
        "right": ADDRESS,
        "rows": WINDOW_BITS,
        "columns": WINDOW_BITS,
        "empty": 1,
        "row_end": 1,
        "plane_end": 1,
    }
)
"""The part of a window that exists: address of its first word (and of the right operand's word),
rows and columns less 1, whether there is none at all, whether it ends an output row or block."""


def is_binary(op: Value) -> Value:
    """Whether the operation takes two operands."""
    return (op != VectorOp.MAX) & (op != VectorOp.SUM)


class _Axis:
    """Windows along one axis: the current one's first and last position, and how many follow.

    `begin` is the first position that exists, `span` the number of positions that exist less 1
    (negative if there is none). Positions have `bits`, a bit for a window more, and a sign.
    """

    def __init__(
        self,
        m: Module,
        name: str,
        bits: int,
        *,
        count: Value,
        window: Value,
        stride: Value,
        origin: Value,
        size: Value,
    ):
        position = signed(bits + 2)
        self._origin, self._window, self._count, self._stride = origin, window, count, stride
        self.first = Signal(position, name=f"{name}_first")
        self.last = Signal(position, name=f"{name}_last")
        self.left = Signal(bits, name=f"{name}_left")
        self.begin = Signal(bits, name=f"{name}_begin")
        self.span = Signal(position, name=f"{name}_span")
        border = Signal(position, name=f"{name}_border")
        m.d.sync += border.eq(size - 1)  # constant long before the first window
        end = Mux(self.last > border, border, self.last)
        m.d.comb += [
            self.begin.eq(Mux(self.first < 0, 0, self.first)),
            self.span.eq(end - self.begin),
        ]

    def restart(self) -> list:
        """Go to the first window."""
        return [
            self.first.eq(self._origin),
            self.last.eq(self._origin + self._window - 1),
            self.left.eq(self._count - 1),
        ]

    def step(self) -> list:
        """Go to the next window."""
        # Both ends step, so that neither is ever computed from the other.
        return [
            self.first.eq(self.first + self._stride),
            self.last.eq(self.last + self._stride),
            self.left.eq(self.left - 1),
        ]


class _Operand:
    """Addresses of an operand, all at column 0: of the block's row 0, of its first window's row and
    of the current window's row."""

    def __init__(self, name: str, *, base: Value, plane_stride: Value):
        self._base, self._plane_stride = base, plane_stride
        self.plane = Signal(ADDRESS, name=f"{name}_plane")
        self.top = Signal(ADDRESS, name=f"{name}_top")
        self.row = Signal(ADDRESS, name=f"{name}_row")
        self.row_step = Signal(ADDRESS, name=f"{name}_row_step")

    def restart(self) -> list:
        return [self.plane.eq(self._base), self.top.eq(self._base), self.row_step.eq(0)]

    def start_row(self) -> list:
        return [self.row.eq(self.top)]

    def step_row(self) -> list:
        return [self.row.eq(self.row + self.row_step)]

    def step_plane(self) -> list:
        # The next block's first windows begin in the same row of the map as this block's.
        top = self.top + self._plane_stride
        return [self.plane.eq(self.plane + self._plane_stride), self.top.eq(top), self.row.eq(top)]


class _Place:
    """Where the walk is: a window along both axes, the operands' addresses, blocks to come."""

    def __init__(self, m: Module, command: data.View, bits: int):
        self.binary = Signal()
        m.d.comb += self.binary.eq(is_binary(command.op))
        self.rows = _Axis(
            m,
            "y",
            bits,
            count=command.rows,
            window=command.window_rows,
            stride=command.stride_y,
            origin=Mux(self.binary, 0, command.y),
            size=command.height,
        )
        self.columns = _Axis(
            m,
            "x",
            bits,
            count=command.columns,
            window=command.window_columns,
            stride=command.stride_x,
            origin=Mux(self.binary, 0, command.x),
            size=command.width,
        )
        self.left = _Operand("left", base=command.left, plane_stride=command.plane_stride)
        self.right = _Operand("right", base=command.right, plane_stride=command.right_plane_stride)
        self.blocks_left = Signal(12)
        self._blocks = command.blocks

    def restart(self) -> list:
        """Go to the first window; the rows of operands are not set."""
        axes = [*self.rows.restart(), *self.columns.restart()]
        operands = [*self.left.restart(), *self.right.restart()]
        return [*axes, *operands, self.blocks_left.eq(self._blocks - 1)]

    def step(self, m: Module) -> Value:
        """Go to the next window, innermost first; returns whether there is none."""
        rows, columns, left, right = self.rows, self.columns, self.left, self.right
        with m.If(columns.left != 0):
            m.d.sync += columns.step()
        with m.Else():
            m.d.sync += columns.restart()
            with m.If(rows.left != 0):
                m.d.sync += [*rows.step(), *left.step_row(), *right.step_row()]
            with m.Else():
                m.d.sync += [*rows.restart(), *left.step_plane(), *right.step_plane()]
                m.d.sync += self.blocks_left.eq(self.blocks_left - 1)
        return (columns.left == 0) & (rows.left == 0) & (self.blocks_left == 0)


class WindowWalker(Block):
    """Visits the windows of a VECTOR command: for block, for output row, for output column.

    MAX and SUM: windows are clipped to the rows and columns that exist. ADD, ADD16 and MUL: one
    word of both operands at (e·stride_y, f·stride_x); `y`, `x` and the input size have no meaning.
    The products y·row_stride and stride_y·row_stride are formed by shift and add before the first
    window, everything else by increments.

    Throughput: one window a cycle. Latency: `windows` is valid 3 + n cycles after `start`, n the
    bits of the larger of stride_y and |y| (ADD, ADD16, MUL: of stride_y).

    Timing
    ------
    MAX over two windows of one word each; the second one waits.

        cycle                      0  1  2  3  4  5  6  7
        start                      1  0  0  0  0  0  0  0
        busy                       0  1  1  1  1  1  1  0
        windows.valid              0  0  0  0  1  1  1  0
        windows.payload.left       .  .  .  .  4  5  5  .
        windows.payload.plane_end  .  .  .  .  0  1  1  .
        windows.ready              1  1  1  1  1  0  1  1

    Parameters
    ----------
    map_bits : int
        Of a row or column number; the descriptor's rows, columns, sizes and starts have no more.

    Members
    -------
    descriptor : in, layout(VECTOR)
        Stable while `busy`, and in the cycle of `start`.
    start : in, 1
        Begin, while not `busy`. A descriptor with no blocks, rows or columns has no windows.
    busy : out, 1
        There are windows to come.
    windows : out, stream of WINDOW
        The windows in order.
    """

    def __init__(self, *, map_bits: int) -> None:
        super().__init__(
            {
                "descriptor": In(layout(VECTOR)),
                "start": In(1),
                "busy": Out(1),
                "windows": Out(stream.Signature(WINDOW)),
            }
        )
        self.map_bits = map_bits

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command = self.descriptor
        place = _Place(m, command, self.map_bits)
        some = (command.blocks != 0) & (command.rows != 0) & (command.columns != 0)
        multiplied = self._multiply(m, place)
        with m.FSM() as fsm:
            with m.State("IDLE"):
                with m.If(self.start & some):
                    m.d.sync += place.restart()
                    m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                with m.If(multiplied):
                    m.d.sync += [operand.start_row() for operand in (place.left, place.right)]
                    m.next = "WALK"
            with m.State("WALK"):
                with m.If(self.windows.ready | ~self.windows.valid):
                    done = place.step(m)
                    with m.If(done):
                        m.next = "IDLE"
        m.d.comb += self.busy.eq(~fsm.ongoing("IDLE") | self.windows.valid)
        self._emit(m, place, fsm.ongoing("WALK"))
        return m

    def _multiply(self, m: Module, place: _Place) -> Value:
        """After `start`, add up y·row_stride and stride_y·row_stride bit by bit.

        Returns whether nothing is left to be added.
        """
        command, left, right = self.descriptor, place.left, place.right
        y_bits, stride_bits = Signal(self.map_bits), Signal(12)
        stride, right_stride = Signal(ADDRESS), Signal(ADDRESS)
        with m.If(self.start):
            m.d.sync += [
                y_bits.eq(Mux(place.binary, 0, Mux(command.y < 0, -command.y, command.y))),
                stride_bits.eq(command.stride_y),
                stride.eq(command.row_stride),
                right_stride.eq(command.right_row_stride),
            ]
        with m.Else():
            m.d.sync += [
                y_bits.eq(y_bits >> 1),
                stride_bits.eq(stride_bits >> 1),
                stride.eq(stride << 1),
                right_stride.eq(right_stride << 1),
            ]
        with m.If(y_bits[0]):
            m.d.sync += left.top.eq(left.top + Mux(command.y < 0, -stride, stride))
        with m.If(stride_bits[0]):
            m.d.sync += left.row_step.eq(left.row_step + stride)
            m.d.sync += right.row_step.eq(right.row_step + right_stride)
        return (y_bits == 0) & (stride_bits == 0)

    def _emit(self, m: Module, place: _Place, walking: Value) -> None:
        """The register in front of `windows`."""
        rows, columns = place.rows, place.columns
        window = Signal(WINDOW)
        row_end = columns.left == 0
        m.d.comb += [
            # A window that starts above row 0 starts at row 0 after clipping.
            window.left.eq(Mux(rows.first < 0, place.left.plane, place.left.row) + columns.begin),
            window.right.eq(place.right.row + columns.first),
            window.rows.eq(rows.span),
            window.columns.eq(columns.span),
            window.empty.eq(~place.binary & ((rows.span < 0) | (columns.span < 0))),
            window.row_end.eq(row_end),
            window.plane_end.eq(row_end & (rows.left == 0)),
        ]
        with m.If(place.binary):
            # Both operands count as neighbouring columns.
            m.d.comb += [window.rows.eq(0), window.columns.eq(1)]
        with m.If(self.windows.ready | ~self.windows.valid):
            m.d.sync += [self.windows.payload.eq(window), self.windows.valid.eq(walking)]
