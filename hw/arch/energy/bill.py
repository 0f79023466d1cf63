"""The energy of accesses, by level and data type: `bill`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hw.arch.accesses import Access, Accesses, DataType, Direction, Level
from hw.arch.accesses.sizes import access_bits
from hw.arch.config import Config
from hw.arch.energy.technology import Technology

_CYCLE = Access(Level.IDLE, DataType.ANY, Direction.READ)


@dataclass(frozen=True)
class EnergyBill:
    """What accesses cost.

    Attributes
    ----------
    technology : by which table
    energy : by level and data type, in the table's unit
    missing : kinds of access, "level.type", that occur and have no entry: the rest is a part only
    """

    technology: Technology
    energy: Mapping[tuple[Level, DataType], float]
    missing: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        """All that has an entry."""
        return sum(self.energy.values())

    @property
    def partial(self) -> bool:
        """Whether something that costs energy has no entry."""
        return bool(self.missing)

    def at(self, level: Level | None = None, data: DataType | None = None) -> float:
        """The energy of a level, of a type, of a type at a level; None: any."""
        return sum(
            energy
            for (place, kind), energy in self.energy.items()
            if level in (None, place) and data in (None, kind)
        )

    def __add__(self, other: "EnergyBill") -> "EnergyBill":
        if self.technology != other.technology:
            raise ValueError("bills by different tables do not add up")
        sums = dict(self.energy)
        for key, energy in other.energy.items():
            sums[key] = sums.get(key, 0.0) + energy
        missing = tuple(dict.fromkeys((*self.missing, *other.missing)))
        return EnergyBill(self.technology, sums, missing)

    def as_dict(self, macs: int, inferences: int) -> dict[str, Any]:
        """One object for a report.

        Parameters
        ----------
        macs : products that were wanted, skipped ones included
        inferences : items that the energy was spent for

        `per_mac` is in the table's unit; `inferences_per_joule` is None where the unit has no
        joules, or the energy is a part only, which would make it too high.
        """
        joules = self.technology.joules
        whole = joules is not None and self.total > 0 and not self.partial
        return {
            "technology": self.technology.name,
            "unit": self.technology.unit,
            "total": _rounded(self.total),
            "partial": self.partial,
            "missing": list(self.missing),
            "by_level": _named({level.value: self.at(level) for level in Level}),
            "by_type": _named({data.value: self.at(data=data) for data in DataType}),
            "detail": self._detail(),
            "per_mac": _rounded(self.total / macs) if macs else None,
            "inferences_per_joule": _rounded(inferences / (self.total * (joules or 1)))
            if whole
            else None,
        }

    def _detail(self) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        for (level, data), energy in self.energy.items():
            if energy:
                found.setdefault(level.value, {})[data.value] = _rounded(energy)
        return found


def bill(
    config: Config,
    table: Technology,
    accesses: Accesses,
    *,
    gated_macs: int = 0,
    cycles: int = 0,
) -> EnergyBill:
    """The energy of accesses by a table.

    Parameters
    ----------
    config : Config
        Widths of words, and of the operands of a product.
    table : Technology
    accesses : Accesses
    gated_macs : int
        Products among them that were skipped, because the activation stands for zero. They cost
        what the table says of gated ones, nothing if it says nothing.
    cycles : int
        Of the core. Each costs what the table says of level `idle`, nothing if it says nothing.
    """
    energy: dict[tuple[Level, DataType], float] = {}
    missing: dict[str, None] = {}
    for access, words in accesses.items():
        if not words:
            continue
        bits = access_bits(config, access)
        if access.level is Level.MAC:
            bits = config.array.data_width
            gated = table.price(access, gated=True)
            spent = gated_macs * gated.of(bits) if gated is not None else 0.0
            words -= gated_macs
        else:
            spent = 0.0
        price = table.price(access)
        if price is None:
            missing[f"{access.level}.{access.data}"] = None
            continue
        key = access.level, access.data
        energy[key] = energy.get(key, 0.0) + spent + words * price.of(bits)
    idle = table.price(_CYCLE)
    if cycles and idle is not None:
        energy[Level.IDLE, DataType.ANY] = cycles * idle.energy
    return EnergyBill(table, energy, tuple(missing))


def _named(energies: Mapping[str, float]) -> dict[str, float]:
    return {name: _rounded(energy) for name, energy in energies.items() if energy}


def _rounded(value: float) -> float:
    """Six digits: more than any table has."""
    return float(f"{value:.6g}")
