"""The registers of `hw.microcontroller.registers`: array and streams as the firmware sees them."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, Signature

from hw.arch.config import Config
from hw.arch.patterns import COLUMN, ROW
from hw.array.array import PEArray
from hw.base.block import Block, ResetReplacer
from hw.base.layouts import layout
from hw.microcontroller.registers import ACTIVITY, ACTIVITY_BITS, MAP, STATUS_BITS

_WORD = 32
_OFFSETS = {one.name: one.offset // 4 for one in MAP}


class Registers(Block):
    """The array behind registers.

    A write and the side effect of a read take place in the cycle of `en`; what was read appears in
    the next cycle.

    Members
    -------
    port : in, {en: 1, write: 1, index: 6, wdata: _WORD, rdata: in _WORD}
        An access; `index` counts words of 4 bytes.
    command : in, stream of config.link.width
        Beats of the command stream.
    result : out, stream of config.link.width
        Beats of the result stream.
    """

    def __init__(self, config: Config):
        beat = stream.Signature(config.link.width)
        port = Signature(
            {
                "en": Out(1),
                "write": Out(1),
                "index": Out(6),
                "wdata": Out(_WORD),
                "rdata": In(_WORD),
            }
        )
        super().__init__({"port": In(port), "command": In(beat), "result": Out(beat)})
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inner = Module()
        inner.submodules.array = array = PEArray(self.config)
        # The array's reset is the firmware's alone, and the firmware gives it first of all, after
        # a reset of the whole design too: otherwise the array would go on with the pass it was in.
        m.submodules.core = ResetReplacer(self._written("RESET"))(inner)
        issued = Signal(2)
        with m.If(self._written("ISSUE")):
            m.d.sync += issued.eq(issued + 1)
        with m.If(self._written("RESET")):
            m.d.sync += issued.eq(0)
        m.d.comb += array.issued.eq(issued)
        self._tables(m, array)
        self._beats(m, array, issued[0])
        self._answer(m, array)
        return m

    def _at(self, name: str, index: int = 0) -> Value:
        return self.port.en & (self.port.index == _OFFSETS[name] + index)

    def _written(self, name: str, index: int = 0) -> Value:
        return self._at(name, index) & self.port.write

    def _taken(self, name: str, index: int = 0) -> Value:
        return self._at(name, index) & ~self.port.write

    def _tables(self, m: Module, array: PEArray) -> None:
        """The pass table: one pass is over before the next is written."""
        config, wdata = self.config, self.port.wdata
        table = Signal(array.tables[0].shape(), reset_less=True)
        for row in range(config.array.rows):
            with m.If(self._written("ROW", row)):
                m.d.sync += _copied(table.rows[row], layout(ROW)(Cat(wdata, Const(0, 32))))
        for col in range(config.array.cols):
            with m.If(self._written("COLUMN", col)):
                m.d.sync += _copied(table.cols[col], layout(COLUMN)(Cat(wdata, Const(0, 32))))
        ends = ("step_end", "slot_end", "last_tap", "last_free")
        with m.If(self._written("ENDS")):
            m.d.sync += (
                table.constants[name].eq(wdata.word_select(place, 8).as_signed())
                for place, name in enumerate(ends)
            )
        with m.If(self._written("WINDOWS")):
            m.d.sync += [
                table.constants.windows.eq(wdata[:16]),
                table.constants.single.eq(wdata[:16] == 1),
                table.zero.eq(wdata[31]),
                table.release.eq(wdata[30]),
            ]
        for bank in array.tables:
            m.d.comb += bank.eq(table)
            for name in ("slot_end", "step_end", "windows", "single"):
                m.d.comb += bank.psums[name].eq(table.constants[name])

    def _beats(self, m: Module, array: PEArray, bank: Value) -> None:
        """Beats into the array: the tag comes first, data send it."""
        config, wdata = self.config, self.port.wdata
        for name, network in (("IFMAP", array.ifmap), ("FILTER", array.filters)):
            beat = network.payload
            tag = Signal(_WORD, name=f"{name.lower()}_tag", reset_less=True)
            with m.If(self._written(f"{name}_TAG")):
                m.d.sync += tag.eq(wdata)
            m.d.comb += [
                beat.row.eq(tag[:16]),
                beat.tag.eq(tag[16:]),
                beat.bank.eq(bank),
                network.valid.eq(self._written(name)),
            ]
        m.d.comb += [
            array.ifmap.payload.payload.words[0].eq(wdata),
            array.filters.payload.payload.last.eq(wdata[31]),
            *(
                array.filters.payload.payload.words[i].eq(wdata[12 * i :])
                for i in range(config.noc.filter)
            ),
        ]
        row = Signal(array.psums_in[0].payload.row.shape(), reset_less=True)
        with m.If(self._written("PSUM_ROW")):
            m.d.sync += row.eq(wdata)
        for col, feeder in enumerate(array.psums_in):
            m.d.comb += [
                feeder.payload.row.eq(row),
                feeder.payload.count.eq(1),
                feeder.payload.psums[0].eq(wdata),
                feeder.valid.eq(self._written("PSUM", col)),
                array.psums_out[col].ready.eq(self._taken("PSUM", col)),
            ]

    def _answer(self, m: Module, array: PEArray) -> None:
        """What is read, and the streams of commands and results."""
        factors = Signal(_WORD, reset_less=True)
        with m.If(self._written("FACTORS")):
            m.d.sync += factors.eq(self.port.wdata)
        m.d.comb += self.command.ready.eq(self._taken("COMMAND"))
        with m.If(self.result.ready):
            m.d.sync += self.result.valid.eq(0)
        with m.If(self._written("RESULT")):
            m.d.sync += [self.result.valid.eq(1), self.result.payload.eq(self.port.wdata)]
        cycles = Signal(_WORD)
        m.d.sync += cycles.eq(cycles + 1)
        states = {
            "command": self.command.valid,
            "result": ~self.result.valid,
            "ifmap": array.ifmap.ready,
            "filter": array.filters.ready,
            "begun": array.begun,
            "settled": array.settled,
        }
        answers = {
            _OFFSETS["STATUS"]: Cat(states[name] for name in STATUS_BITS),
            _OFFSETS["COMMAND"]: self.command.payload,
            _OFFSETS["PRODUCT"]: factors[:16] * factors[16:],
            _OFFSETS["CYCLES"]: cycles,
            _OFFSETS["PSUM_READY"]: Cat(feeder.ready for feeder in array.psums_in),
            _OFFSETS["PSUM_VALID"]: Cat(one.valid for one in array.psums_out),
        }
        for col, collector in enumerate(array.psums_out):
            psum = Signal(_WORD, name=f"psum_{col}")
            m.d.comb += psum.eq(collector.payload[0])  # sign-extended
            answers[_OFFSETS["PSUM"] + col] = psum
        for place, name in enumerate(ACTIVITY):
            total = Signal(ACTIVITY_BITS, name=name)
            m.d.sync += total.eq(total + array.activity[name])
            answers[_OFFSETS["ACTIVITY"] + place] = total
        with m.Switch(self.port.index):
            for index, value in answers.items():
                with m.Case(index):
                    m.d.sync += self.port.rdata.eq(value)


def _copied(entry: data.View, record: data.View) -> list:
    """An entry of a pass table, from the record of the same name."""
    return [entry[name].eq(record[name]) for name, _ in entry.shape()]
