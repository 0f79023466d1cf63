"""What the engines read of a pass: registers and small tables, twice (one pass ahead)."""

from amaranth.hdl import Module, Shape
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import bits_for, ceil_log2

from hw.arch.commands import BASES, CONSTANTS
from hw.arch.config import Config
from hw.arch.fields import Struct
from hw.arch.patterns import COLUMN
from hw.array.tables import ColumnTable, RowTable
from hw.base.block import Block
from hw.glb.ports import act_address_bits, psum_address_bits
from hw.noc.tags import row_bits

_ACT_FIELDS = (
    "address",
    "outer_words",
    "inner_words",
    "output",
    "ifmap",
    "plane",
    "plane_stride",
    "item_stride",
    "group_stride",
    "unit_jump",
    "tap_stride",
)


def compact(struct: Struct, config: Config | None = None) -> data.StructLayout:
    """The record's fields one after another, without the padding of its words.

    With a configuration, fields that are added up to buffer addresses have no more bits than tell
    existing words apart: sums wrap, and the buffer looks at no others. Rows of the array and places
    in a map likewise.
    """
    reach: dict[str, int] = {}
    if config is not None:
        reach = dict.fromkeys(_ACT_FIELDS, act_address_bits(config))
        reach |= {f.name: config.control.map_bits for f in struct.fields if f.on_map}
        reach["psum"] = psum_address_bits(config)
        reach["head"] = row_bits(config)
    return data.StructLayout(
        {f.name: Shape(min(f.width, reach.get(f.name, f.width)), f.signed) for f in struct.fields}
    )


def column_entry(config: Config) -> data.StructLayout:
    """What the psum engines know of a column; in words of the buffer and beats of psums.

    Members
    -------
    psum : added to the pass's psum address
    channel, output : as in `COLUMN`
    """
    members = dict(compact(COLUMN, config).members)
    return data.StructLayout(
        {
            "psum": psum_address_bits(config),
            **{name: members[name] for name in ("channel", "output")},
        }
    )


class PassTable(data.StructLayout):
    """One pass: constants and bases of the command, place in the nest, patterns in registers."""

    def __init__(self, config: Config):
        super().__init__(
            {
                "constants": compact(CONSTANTS, config),
                "bases": compact(BASES, config),
                "first": 1,
                "last": 1,
                "fresh": 1,
                "release": 1,
                "sync": 1,
                "closing": 1,
                **dict.fromkeys(("slots", "segments", "filters"), bits_for(config.array.rows)),
                **dict.fromkeys(("turn", "period"), bits_for(config.array.rows)),
                **dict.fromkeys(("first_unit", "first_group"), act_address_bits(config)),
                **dict.fromkeys(("columns", "groups"), bits_for(config.array.cols)),
                "rows": data.ArrayLayout(RowTable(config), config.array.rows),
                "cols": data.ArrayLayout(ColumnTable(config), config.array.cols),
            }
        )


class EntryTable(Block):
    """Entries of one kind for both pass tables, read combinationally.

    Members
    -------
    write : in, {en: 1, bank: 1, index: ceil_log2(max(entries, 2)), data: shape}
        Fills an entry of the table `bank`.
    reads : in, ports times {bank: 1, index: ceil_log2(max(entries, 2)), data: in shape}
        Read ports; `data` in the same cycle.
    """

    def __init__(self, shape: data.StructLayout, *, entries: int, ports: int = 1):
        index = ceil_log2(max(entries, 2))
        super().__init__(
            {
                "write": In(
                    Signature(
                        {"en": Out(1), "bank": Out(1), "index": Out(index), "data": Out(shape)}
                    )
                ),
                "reads": In(
                    Signature({"bank": Out(1), "index": Out(index), "data": In(shape)})
                ).array(ports),
            }
        )
        self.shape = shape
        self.entries = 1 << index
        self.ports = ports

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.entries = memory = Memory(shape=self.shape, depth=2 * self.entries, init=[])
        write = memory.write_port()
        m.d.comb += [
            write.en.eq(self.write.en),
            write.addr.eq(self.write.index + self.write.bank * self.entries),
            write.data.eq(self.write.data),
        ]
        for port in self.reads:
            read = memory.read_port(domain="comb")
            m.d.comb += [
                read.addr.eq(port.index + port.bank * self.entries),
                port.data.eq(read.data),
            ]
        return m
