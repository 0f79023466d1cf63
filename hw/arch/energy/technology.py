"""What a word costs at each level: `Technology`."""

from dataclasses import dataclass, replace
from functools import cache

from hw.arch.accesses import Access, DataType, Direction, Level
from hw.arch.config import Config
from hw.arch.errors import RowforgeError

UNIT_BITS = 16
"""Bits of an access that a price belongs to, where the table says no other number."""

UNITS = {"MAC": None, "pJ": 1e-12}
"""Units of tables, with their joules: a table in MACs has none."""

SIZES = (
    "array.rows",
    "array.cols",
    "array.data_width",
    "pe.ifmap_spad",
    "pe.filter_spad",
    "pe.psum_spad",
    "buffer.banks",
    "buffer.depth",
    "buffer.width",
)
"""Fields of a configuration that a table may have been made for."""


@dataclass(frozen=True, kw_only=True)
class AccessPrice:
    """An entry of a table: the energy of one access of `bits` bits.

    Attributes
    ----------
    level : where
    data : types that the entry is for; empty: all that no other entry is for
    direction : likewise; None: both
    gated : of products that are skipped because the activation stands for zero; at level MAC only
    energy : in `unit`; at level MAC of a product of two operands of `bits` bits; at level IDLE of a
        core cycle
    bits : width of the access; at level IDLE it means nothing
    unit, process, source, licence : where the figure comes from, and on which terms
    """

    level: Level
    data: frozenset[DataType] = frozenset()
    direction: Direction | None = None
    gated: bool = False
    energy: float
    bits: int = UNIT_BITS
    unit: str
    process: str
    source: str
    licence: str

    def covers(self, access: Access, gated: bool) -> bool:
        """Whether the entry is for such accesses."""
        return (
            self.level is access.level
            and self.gated == gated
            and (not self.data or access.data in self.data)
            and self.direction in (None, access.direction)
        )

    @property
    def exactness(self) -> tuple[bool, bool]:
        """Grows with what the entry says: the entry that says most is the one that holds."""
        return bool(self.data), self.direction is not None

    def of(self, bits: int) -> float:
        """The energy of an access of so many bits, or of a product of operands of so many each.

        Storage and wires cost in proportion to bits, a multiplier to the product of its widths.
        """
        share = bits / self.bits
        return self.energy * (share * share if self.level is Level.MAC else share)


@dataclass(frozen=True)
class Technology:
    """A table of prices.

    Parameters
    ----------
    name : of the table, for reports
    unit : a key of `UNITS`
    prices : entries, all in that unit
    sizes : fields of `SIZES` with the values that the prices were made for; empty: for any

    Raises `RowforgeError` if two entries are for the same accesses, or entries on the chip come
    from different processes or differ in unit.
    """

    name: str
    unit: str
    prices: tuple[AccessPrice, ...]
    sizes: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        units = sorted({price.unit for price in self.prices})
        if units != [self.unit]:
            raise RowforgeError(
                f"technology {self.name}: all entries must have the unit {self.unit}, not "
                f"{', '.join(units)}"
            )
        on_chip = sorted({p.process for p in self.prices if p.level is not Level.LINK})
        if len(on_chip) > 1:
            raise RowforgeError(
                f"technology {self.name}: entries of different processes must not be mixed on the "
                f"chip, but there are {', '.join(on_chip)}"
            )
        for number, price in enumerate(self.prices, start=1):
            for other in self.prices[number:]:
                if _same(price, other):
                    raise RowforgeError(
                        f"technology {self.name}: entries[{number}] is not the only one for "
                        f"{_told(price)}; leave one"
                    )

    @property
    def joules(self) -> float | None:
        """Joules of the unit; None if it has none."""
        return UNITS[self.unit]

    def other_sizes(self, config: Config) -> str:
        """A sentence with the sizes that a configuration does not share with the table, "" if none.

        An access of a larger memory costs more: for other sizes the prices are a guess.
        """
        others = [
            f"{name} = {size} (here {config.value(name)})"
            for name, size in self.sizes
            if config.value(name) != size
        ]
        if not others:
            return ""
        return f"technology {self.name} was made for {', '.join(others)}; its energy is a guess"

    def price(self, access: Access, *, gated: bool = False) -> AccessPrice | None:
        """The entry for such accesses, of several the most exact one; None if there is none.

        A memory beside the buffer costs what the link does where the table has no entry for it:
        both stand for DRAM.
        """
        return _price(self, access, gated)

    def level_price(self, level: Level) -> float:
        """The price of a level for 16 bits, from its entry for all types and directions.

        Raises `RowforgeError` if the table has no such entry.
        """
        for price in self.prices:
            if price.level is level and not price.gated and price.exactness == (False, False):
                return price.of(UNIT_BITS)
        raise RowforgeError(f"technology {self.name} has no entry for all of level {level}")


@cache
def _price(table: Technology, access: Access, gated: bool) -> AccessPrice | None:
    found = [price for price in table.prices if price.covers(access, gated)]
    if not found and access.level is Level.MEMORY:
        return _price(table, replace(access, level=Level.LINK), gated)
    return max(found, key=lambda price: price.exactness, default=None)


def _same(first: AccessPrice, second: AccessPrice) -> bool:
    """Whether some accesses are covered by both, and neither is the more exact one."""
    return (
        first.level is second.level
        and first.gated == second.gated
        and first.exactness == second.exactness
        and (not first.data or bool(first.data & second.data))
        and first.direction in (None, second.direction)
    )


def _told(price: AccessPrice) -> str:
    names = [price.level.value, *sorted(price.data)]
    if price.direction is not None:
        names.append(price.direction.value)
    if price.gated:
        names.append("gated")
    return ".".join(names)
