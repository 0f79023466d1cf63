"""Input networks: a Y bus, X buses and the multicast controllers that compare tags."""

from amaranth.hdl import Cat, Module
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.elaboration import Block, instantiate
from hw.layouts import of_bank
from hw.noc.queue import Queue


class MulticastController(Block):
    """Compares the tag of what is on a bus with the ID of what hangs below. Combinational.

    Members
    -------
    tag, id, enable : what is on the bus; what is wanted here; whether anything is wanted at all
    match : it is for here
    """

    def __init__(self, *, width: int):
        super().__init__({"tag": In(width), "id": In(width), "enable": In(1), "match": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.match.eq(self.enable & (self.tag == self.id))
        return m


class XBus(Block):
    """The bus of one row: delivers a beat in one cycle to all PEs whose column ID is its tag.

    A beat leaves only when every PE that wants it is ready; the others see nothing of it.

    Members
    -------
    input : stream of {payload, tag, bank}
    ids, enables : wanted tag and enable of every column, one set for each pass table (bank)
    outputs : a stream of `payload` for every column
    """

    def __init__(self, payload, *, tag: int, cols: int):
        super().__init__(
            {
                "input": In(stream.Signature(beat_layout(payload, tag))),
                "ids": In(data.ArrayLayout(data.ArrayLayout(tag, cols), 2)),
                "enables": In(data.ArrayLayout(cols, 2)),
                "outputs": Out(stream.Signature(payload)).array(cols),
            }
        )
        self.payload = payload
        self.tag = tag
        self.cols = cols

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = self.input.payload
        ids = of_bank(m, self.ids, beat.bank, "wanted")
        enables = of_bank(m, self.enables, beat.bank, "enabled")
        matches, waits = [], []
        for col, output in enumerate(self.outputs):
            controller = MulticastController(width=self.tag)
            instantiate(m, platform, f"controller_{col}", controller)
            m.d.comb += [
                controller.tag.eq(beat.tag),
                controller.id.eq(ids[col]),
                controller.enable.eq(enables[col]),
                output.payload.eq(beat.payload),
                output.valid.eq(self.input.valid & self.input.ready & controller.match),
            ]
            matches.append(controller.match)
            waits.append(controller.match & ~output.ready)
        m.d.comb += self.input.ready.eq(~Cat(waits).any())
        return m


def beat_layout(payload, tag: int) -> data.StructLayout:
    """What an X bus carries: the payload, its column tag, and the pass table that it belongs to."""
    return data.StructLayout({"payload": payload, "tag": tag, "bank": 1})


class MulticastNetwork(Block):
    """Y bus and X buses: delivers a beat to all PEs whose row ID and column ID match its tags.

    The column tag is compared with the column's ID plus the row's offset: each row subtracts its
    offset once. With `pipeline` each X bus is decoupled by two registers (latency + 1).

    Members
    -------
    input : stream of {payload, row, tag, bank}
    rows : for each bank and row {enable, id, offset}; cols : for each bank and column {enable, id}
    outputs : a stream of `payload` for every row and column
    """

    def __init__(
        self, payload, *, row_tag: int, col_tag: int, rows: int, cols: int, pipeline: int = 0
    ):
        self.row_layout = data.StructLayout({"enable": 1, "id": row_tag, "offset": col_tag})
        self.input_layout = data.StructLayout(
            {"payload": payload, "row": row_tag, "tag": col_tag, "bank": 1}
        )
        super().__init__(
            {
                "input": In(stream.Signature(self.input_layout)),
                "rows": In(data.ArrayLayout(data.ArrayLayout(self.row_layout, rows), 2)),
                "ids": In(data.ArrayLayout(data.ArrayLayout(col_tag, cols), 2)),
                "enables": In(data.ArrayLayout(cols, 2)),
                "outputs": Out(stream.Signature(payload)).array(rows, cols),
            }
        )
        self.payload = payload
        self.shape = (rows, cols)
        self.tags = (row_tag, col_tag)
        self.pipeline = pipeline

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, cols = self.shape
        row_tag, col_tag = self.tags
        beat = self.input.payload
        wanted = of_bank(m, self.rows, beat.bank, "wanted")
        waits = []
        for row in range(rows):
            controller = MulticastController(width=row_tag)
            instantiate(m, platform, f"controller_{row}", controller)
            bus = XBus(self.payload, tag=col_tag, cols=cols)
            instantiate(m, platform, f"x_bus_{row}", bus)
            entry = bus.input
            if self.pipeline:
                queue = Queue(beat_layout(self.payload, col_tag), depth=2)
                instantiate(m, platform, f"queue_{row}", queue)
                m.d.comb += [
                    bus.input.payload.eq(queue.output.payload),
                    bus.input.valid.eq(queue.output.valid),
                    queue.output.ready.eq(bus.input.ready),
                ]
                entry = queue.input
            m.d.comb += [
                controller.tag.eq(beat.row),
                controller.id.eq(wanted[row].id),
                controller.enable.eq(wanted[row].enable),
                entry.payload.payload.eq(beat.payload),
                entry.payload.tag.eq(beat.tag - wanted[row].offset),
                entry.payload.bank.eq(beat.bank),
                entry.valid.eq(self.input.valid & self.input.ready & controller.match),
                bus.ids.eq(self.ids),
                bus.enables.eq(self.enables),
            ]
            self._deliver(m, bus, row)
            waits.append(controller.match & ~entry.ready)
        m.d.comb += self.input.ready.eq(~Cat(waits).any())
        return m

    def _deliver(self, m: Module, bus: XBus, row: int) -> None:
        for col in range(self.shape[1]):
            here, there = bus.outputs[col], self.outputs[row][col]
            m.d.comb += [
                there.payload.eq(here.payload),
                there.valid.eq(here.valid),
                here.ready.eq(there.ready),
            ]
