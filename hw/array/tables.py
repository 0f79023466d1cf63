"""What the array sees of a pass table, each part as the kind that uses it lays it out."""

from amaranth.hdl import Module
from amaranth.lib import data

from hw.arch.config import Config
from hw.noc.kinds import operand_network, psum_network
from hw.pe.kinds import pe_kind


class RowTable(data.StructLayout):
    """What the array knows of a PE row in a pass: fields of `ROW`.

    Those of the psum chains come first, then those that the operand networks ask for.
    """

    def __init__(self, config: Config):
        chains = dict.fromkeys(("active", "head", "tail", "first"), 1)
        super().__init__({**chains, **operand_network(config).row_fields(config)})


class ColumnTable(data.StructLayout):
    """What the array knows of a PE column in a pass: fields of `COLUMN`."""

    def __init__(self, config: Config):
        super().__init__({"active": 1, **operand_network(config).column_fields(config)})


class ArrayTable(data.StructLayout):
    """One pass table as the array sees it.

    `zero`: the pass may start psums at zero; `release`: its filters are not needed again;
    `constants`: the constant part of a PE's `PassConfig`; `psums`: what the psum network must know.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "rows": data.ArrayLayout(RowTable(config), config.array.rows),
                "cols": data.ArrayLayout(ColumnTable(config), config.array.cols),
                "zero": 1,
                "release": 1,
                "constants": pe_kind(config).pass_config(config),
                "psums": psum_network(config).pass_config(config),
            }
        )


def fill_constants(m: Module, config: Config, table: data.View, constants: data.View) -> None:
    """Drive the parts of an `ArrayTable` that follow from a pass table's `CONSTANTS`."""
    for kind, target in (
        (pe_kind(config), table.constants),
        (psum_network(config), table.psums),
    ):
        for name, value in kind.pass_constants(config, constants).items():
            m.d.comb += target[name].eq(value)
