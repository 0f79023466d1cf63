"""Reads the words of a stream of windows from the global buffer."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arch.commands import ADDRESS
from hw.base.block import Block
from hw.base.queue import Queue
from hw.vector.address import WINDOW, WINDOW_BITS

REQUEST = data.StructLayout({"addr": ADDRESS})
"""A buffer word to be read."""

TOKEN = data.StructLayout({"empty": 1, "last": 1, "row_end": 1, "plane_end": 1})
"""What a word is: no word at all (a window without words), the last one of its window, and whether
that window ends an output row or block."""


def word_layout(glb_width: int) -> data.StructLayout:
    """A word with its token: members `data` (undefined if `token.empty`) and `token`."""
    return data.StructLayout({"data": glb_width, "token": TOKEN})


class WindowReader(Block):
    """Requests every word of every window, and hands the answers on with what they are.

    Columns of a row come first, then the next row; with two operands left, then right. A window
    without words gives one word that is `empty`.

    Throughput: one word a cycle, as long as a request is answered within `in_flight` - 2 cycles.
    Answers are queued, so `responses.ready` is always high.

    Parameters
    ----------
    glb_width : int
        Bits of a buffer word.
    in_flight : int
        Most words requested and not yet handed on.

    Members
    -------
    binary : in, 1
        Windows are pairs of operands; stable while `busy`.
    row_stride : in, ADDRESS
        Words from row to row of a window; stable while `busy`.
    busy : out, 1
        A window is being read, or words are on their way.
    windows : in, stream of WINDOW
        What to read.
    requests : out, stream of REQUEST
        Buffer words to be read.
    responses : in, stream of {data: glb_width}
        Their contents in the order of the requests.
    words : out, stream of word_layout(glb_width)
        The same, with what the windows say of them.
    """

    def __init__(self, *, glb_width: int, in_flight: int = 8):
        answer = data.StructLayout({"data": glb_width})
        super().__init__(
            {
                "binary": In(1),
                "row_stride": In(ADDRESS),
                "busy": Out(1),
                "windows": In(stream.Signature(WINDOW)),
                "requests": Out(stream.Signature(REQUEST)),
                "responses": In(stream.Signature(answer)),
                "words": Out(stream.Signature(word_layout(glb_width))),
            }
        )
        self._answer = answer
        self._in_flight = in_flight

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # A token is queued with every request and leaves with the answer: while there is room for
        # a token, there is room for the answer.
        m.submodules.tokens = tokens = Queue(TOKEN, depth=self._in_flight)
        m.submodules.answers = answers = Queue(self._answer, depth=self._in_flight)
        wiring.connect(m, wiring.flipped(self.responses), answers.input)

        active, step, last = Signal(), Signal(), Signal()
        empty, row_end, plane_end = Signal(), Signal(), Signal()
        m.d.comb += [
            self.requests.valid.eq(active & ~empty & tokens.input.ready),
            step.eq(active & tokens.input.ready & (empty | self.requests.ready)),
            tokens.input.valid.eq(step),
            tokens.input.payload.empty.eq(empty),
            tokens.input.payload.last.eq(last),
            tokens.input.payload.row_end.eq(row_end),
            tokens.input.payload.plane_end.eq(plane_end),
            self.windows.ready.eq(~active | (step & last)),
            self.busy.eq(active | tokens.output.valid),
        ]
        m.d.comb += last.eq(empty | self._walk(m, step))
        with m.If(self.windows.ready):
            window = self.windows.payload
            m.d.sync += [
                active.eq(self.windows.valid),
                empty.eq(window.empty),
                row_end.eq(window.row_end),
                plane_end.eq(window.plane_end),
            ]
        self._join(m, tokens.output, answers.output)
        return m

    def _walk(self, m: Module, step: Signal) -> Value:
        """The address counters; returns whether the window's last word is being requested."""
        window = self.windows.payload
        addr, row, right = Signal(ADDRESS), Signal(ADDRESS), Signal(ADDRESS)
        columns, columns_left = Signal(WINDOW_BITS), Signal(WINDOW_BITS)
        rows_left = Signal(WINDOW_BITS)
        m.d.comb += self.requests.payload.addr.eq(addr)
        with m.If(self.windows.ready):
            m.d.sync += [
                addr.eq(window.left),
                row.eq(window.left),
                right.eq(window.right),
                columns.eq(window.columns),
                columns_left.eq(window.columns),
                rows_left.eq(window.rows),
            ]
        with m.Elif(step):
            next_row = row + self.row_stride
            with m.If(columns_left != 0):
                m.d.sync += addr.eq(Mux(self.binary, right, addr + 1))
                m.d.sync += columns_left.eq(columns_left - 1)
            with m.Else():
                m.d.sync += [addr.eq(next_row), row.eq(next_row)]
                m.d.sync += [columns_left.eq(columns), rows_left.eq(rows_left - 1)]
        return (columns_left == 0) & (rows_left == 0)

    def _join(self, m: Module, tokens: stream.Interface, answers: stream.Interface) -> None:
        """Pair tokens with answers; a token of an empty window has none."""
        token = tokens.payload
        m.d.comb += [
            self.words.valid.eq(tokens.valid & (token.empty | answers.valid)),
            self.words.payload.data.eq(answers.payload.data),
            self.words.payload.token.eq(token),
            tokens.ready.eq(self.words.ready & self.words.valid),
            answers.ready.eq(self.words.ready & tokens.valid & ~token.empty),
        ]
