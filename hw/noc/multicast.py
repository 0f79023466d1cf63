"""Input networks: a Y bus, X buses and the multicast controllers that compare tags."""

from typing import Self

from amaranth.hdl import Cat, Module, ShapeLike
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect

from hw.arch.commands import TAG
from hw.arch.config import Config
from hw.base.block import Block
from hw.base.layouts import of_bank
from hw.base.queue import Queue
from hw.noc.operands import ArrayOperand, OperandNetwork
from hw.noc.tags import TaggedBeat, col_bits, filter_bus, ifmap_bus, row_bits


class MulticastController(Block):
    """Compares the tag of what is on a bus with the ID of what hangs below. Combinational.

    Members
    -------
    tag : in, width
        What is on the bus.
    id : in, width
        What is wanted here.
    enable : in, 1
        Whether anything is wanted at all.
    match : out, 1
        It is for here.
    """

    def __init__(self, *, width: int):
        super().__init__({"tag": In(width), "id": In(width), "enable": In(1), "match": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.match.eq(self.enable & (self.tag == self.id))
        return m


class XBus(Block):
    """The bus of one row: delivers a beat in one cycle to all PEs whose column ID is its tag.

    A beat leaves only when every PE that wants it is ready; the others see nothing of it. With
    `pipeline` beats wait in a queue of two (latency + 1) with the columns that want them.

    Members
    -------
    input : in, stream of {payload: payload, tag: tag}
        Beats with their column tags.
    ids : in, array of cols tag
        The tag that every column wants of this beat.
    enables : in, cols
        Whether each column wants any.
    outputs : out, cols times stream of payload
        Beats for every column.
    """

    def __init__(self, payload, *, tag: int, cols: int, pipeline: int):
        super().__init__(
            {
                "input": In(stream.Signature(data.StructLayout({"payload": payload, "tag": tag}))),
                "ids": In(data.ArrayLayout(tag, cols)),
                "enables": In(cols),
                "outputs": Out(stream.Signature(payload)).array(cols),
            }
        )
        self.beat = data.StructLayout({"payload": payload, "targets": cols})
        self.tag = tag
        self.cols = cols
        self.pipeline = pipeline

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beats = self._found(m)
        targets = beats.payload.targets
        waits = targets & ~Cat(output.ready for output in self.outputs)
        m.d.comb += beats.ready.eq(~waits.any())
        for col, output in enumerate(self.outputs):
            m.d.comb += [
                output.payload.eq(beats.payload.payload),
                # All targets take it at once: one that took it early would be offered it again.
                output.valid.eq(beats.valid & beats.ready & targets[col]),
            ]
        return m

    def _found(self, m: Module) -> stream.Interface:
        """The stream of beats with the columns that want them."""
        found = stream.Signature(self.beat).create()
        m.d.comb += [
            found.valid.eq(self.input.valid),
            found.payload.payload.eq(self.input.payload.payload),
            self.input.ready.eq(found.ready),
        ]
        for col in range(self.cols):
            controller = MulticastController(width=self.tag)
            m.submodules[f"controller_{col}"] = controller
            m.d.comb += [
                controller.tag.eq(self.input.payload.tag),
                controller.id.eq(self.ids[col]),
                controller.enable.eq(self.enables[col]),
                found.payload.targets[col].eq(controller.match),
            ]
        # In front of the queue the comparison is in no path to the PEs.
        return _waiting(m, found, self.beat) if self.pipeline else found


def _waiting(m: Module, beats: stream.Interface, shape) -> stream.Interface:
    """The same stream after a queue of two."""
    m.submodules.queue = queue = Queue(shape, depth=2)
    connect(m, beats, queue.input)
    return queue.output


class MulticastNetwork(OperandNetwork):
    """Y bus and X buses: delivers a beat to all PEs whose row ID and column ID match its tags.

    The column tag is compared with the column's ID plus the row's offset: each row subtracts its
    offset once. With `pipeline` each X bus is decoupled by a queue of two (latency + 1). With
    `entry` beats wait in another one in front of the Y bus, with the rows that want them (latency
    + 1).

    Timing
    ------
    Three beats, each for one PE; the second one waits for its PE, and the third behind it.

        cycle                  0  1  2  3  4  5
        input.valid            1  1  1  1  0  0
        input.payload.payload  5  6  7  7  .  .
        input.payload.row      0  1  0  0  .  .
        input.payload.tag      0  1  1  1  .  .
        input.ready            1  1  1  0  1  1
        outputs.0.0.valid      0  1  0  0  0  0
        outputs.0.0.ready      1  1  1  1  1  1
        outputs.1.1.valid      0  0  0  1  0  0
        outputs.1.1.ready      1  1  0  1  1  1
        outputs.0.1.valid      0  0  0  0  1  0
        outputs.0.1.ready      1  1  1  1  1  1

    Members
    -------
    input : in, stream of {payload: payload, row: row_tag, tag: col_tag, bank: 1}
        Beats with their tags and the pass table that they belong to.
    rows : in, array of 2 array of rows {enable: 1, id: row_tag, offset: col_tag}
        What every row wants, by `bank`.
    ids : in, array of 2 array of cols col_tag
        The column ID of every column, by `bank`.
    enables : in, array of 2 cols
        Whether each column wants any, by `bank`.
    outputs : out, rows, cols times stream of payload
        Beats for every row and column.
    """

    def __init__(
        self,
        payload,
        *,
        row_tag: int,
        col_tag: int,
        rows: int,
        cols: int,
        pipeline: int = 0,
        entry: int = 0,
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
        self.beat = data.StructLayout({"payload": payload, "tag": col_tag, "bank": 1, "rows": rows})
        self.tags = (row_tag, col_tag)
        self.pipeline = pipeline
        self.entry = entry

    @classmethod
    def for_operand(cls, config: Config, operand: ArrayOperand) -> Self:
        """The configuration's network for the operand, with tags as wide as the array needs."""
        beat = cls.bus(config, operand)
        return cls(
            beat["payload"].shape,
            row_tag=beat["row"].width,
            col_tag=beat["tag"].width,
            rows=config.array.rows,
            cols=config.array.cols,
            pipeline=config.noc.pipeline,
            entry=config.control.pipeline,
        )

    @classmethod
    def bus(cls, config: Config, operand: ArrayOperand) -> TaggedBeat:
        """What the Y bus carries."""
        return ifmap_bus(config) if operand is ArrayOperand.IFMAP else filter_bus(config)

    @classmethod
    def row_fields(cls, config: Config) -> dict[str, ShapeLike]:
        """Filter row tag, ifmap row tag, and what an ifmap's column tag is more than elsewhere."""
        return {"fid": row_bits(config), "iid": row_bits(config), "ioff": TAG}

    @classmethod
    def column_fields(cls, config: Config) -> dict[str, ShapeLike]:
        """Filter column tag, and ifmap column tag."""
        return {"tid": col_bits(config), "base": TAG}

    def learn(self, m: Module, operand: ArrayOperand, tables: data.View) -> None:
        """IDs of rows and columns; only ifmaps have an offset a row."""
        ifmap = operand is ArrayOperand.IFMAP
        for bank in range(2):
            table = tables[bank]
            for row, target in enumerate(self.rows[bank]):
                source = table.rows[row]
                m.d.comb += [
                    target.enable.eq(source.active),
                    target.id.eq(source.iid if ifmap else source.fid),
                    target.offset.eq(source.ioff if ifmap else 0),
                ]
            for col in range(self.shape[1]):
                source = table.cols[col]
                m.d.comb += [
                    self.ids[bank][col].eq(source.base if ifmap else source.tid),
                    self.enables[bank][col].eq(source.active),
                ]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, cols = self.shape
        beats = self._found(m)
        beat = beats.payload
        offsets = of_bank(m, self.rows, beat.bank, "offsets")
        ids = of_bank(m, self.ids, beat.bank, "ids")
        enables = of_bank(m, self.enables, beat.bank, "enables")
        waits = []
        for row in range(rows):
            bus = XBus(self.payload, tag=self.tags[1], cols=cols, pipeline=self.pipeline)
            m.submodules[f"x_bus_{row}"] = bus
            m.d.comb += [
                bus.input.payload.payload.eq(beat.payload),
                bus.input.payload.tag.eq(beat.tag - offsets[row].offset),
                bus.input.valid.eq(beats.valid & beats.ready & beat.rows[row]),
                bus.ids.eq(ids),
                bus.enables.eq(enables),
            ]
            self._deliver(m, bus, row)
            waits.append(beat.rows[row] & ~bus.input.ready)
        m.d.comb += beats.ready.eq(~Cat(waits).any())
        return m

    def _found(self, m: Module) -> stream.Interface:
        """The stream of beats with the rows that want them."""
        beat = self.input.payload
        wanted = of_bank(m, self.rows, beat.bank, "wanted")
        found = stream.Signature(self.beat).create()
        m.d.comb += [
            found.valid.eq(self.input.valid),
            self.input.ready.eq(found.ready),
            *(found.payload[name].eq(beat[name]) for name in ("payload", "tag", "bank")),
        ]
        for row in range(self.shape[0]):
            controller = MulticastController(width=self.tags[0])
            m.submodules[f"controller_{row}"] = controller
            m.d.comb += [
                controller.tag.eq(beat.row),
                controller.id.eq(wanted[row].id),
                controller.enable.eq(wanted[row].enable),
                found.payload.rows[row].eq(controller.match),
            ]
        # As in the X bus: the comparison comes first, and the queue holds its answer.
        return _waiting(m, found, self.beat) if self.entry else found

    def _deliver(self, m: Module, bus: XBus, row: int) -> None:
        for col in range(self.shape[1]):
            here, there = bus.outputs[col], self.outputs[row][col]
            m.d.comb += [
                there.payload.eq(here.payload),
                there.valid.eq(here.valid),
                here.ready.eq(there.ready),
            ]
