"""Energy: what accesses cost by the tables of a technology, which are data files."""

from hw.arch.energy.bill import EnergyBill, bill
from hw.arch.energy.file import (
    DEFAULT_TECHNOLOGY,
    parse_technology,
    read_technology,
    technology,
    technology_names,
)
from hw.arch.energy.technology import AccessPrice, Technology

__all__ = [
    "DEFAULT_TECHNOLOGY",
    "AccessPrice",
    "EnergyBill",
    "Technology",
    "bill",
    "parse_technology",
    "read_technology",
    "technology",
    "technology_names",
]
