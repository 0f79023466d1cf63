"""Energy, accesses and link bytes in the objects that commands print: `add_energy`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hw.arch.accesses import (
    Accesses,
    DataType,
    Direction,
    Level,
    link_bytes,
    memory_bytes,
    replayed,
    resident_bytes,
)
from hw.arch.config import Config
from hw.arch.energy import EnergyBill, Technology, bill
from rowforge.energy.layer_tally import LayerTally

KEYS = ("accesses", "link_split", "energy")
"""What `add_energy` adds to each layer and to the total."""

_SPLIT = {
    "commands": DataType.COMMAND,
    "tables": DataType.TABLE,
    "filters": DataType.FILTER,
    "inputs": DataType.INPUT,
    "outputs": DataType.OUTPUT,
    "spills": DataType.SPILL,
}


def add_energy(
    config: Config,
    document: dict[str, Any],
    tallies: Sequence[LayerTally],
    table: Technology,
    *,
    inferences: int,
) -> None:
    """Adds to the rows of a report and to its total what layers access and what that costs.

    `accesses` : words, {level: {data type: {direction: words}}}
    `link_split` : bytes on the link by what they are; `filters_resident` are read on the chip
        instead
    `energy` : see `hw.arch.energy.EnergyBill.as_dict`, and `gated_macs`, products that were
        skipped; None if nobody knows how many, and every product is priced in full
    `memory_bytes` : with a memory beside the buffer, from which the program is replayed; the bytes
        of the link are then those that still cross it

    Parameters
    ----------
    config : Config
        Widths of words.
    document : a report with "layers" and "total"; what a core cycle costs is counted for the
        "cycles" of layers that have them
    tallies : of the layers, in the order of their rows
    table : prices
    inferences : items that the layers compute
    """
    if config.memory.present:
        tallies = [replace(tally, accesses=replayed(tally.accesses)) for tally in tallies]
    cycles = [row.get("cycles") or 0 for row in document["layers"]]
    bills = [
        _bill(config, table, tally, spent) for tally, spent in zip(tallies, cycles, strict=True)
    ]
    for row, tally, cost in zip(document["layers"], tallies, bills, strict=True):
        row.update(_keys(config, tally, cost, inferences))
    total = sum(tallies, LayerTally())
    document["total"].update(_keys(config, total, sum(bills, EnergyBill(table, {})), inferences))


def _bill(config: Config, table: Technology, tally: LayerTally, cycles: int) -> EnergyBill:
    gated = tally.gated_macs or 0
    return bill(config, table, tally.accesses, gated_macs=gated, cycles=cycles)


def _keys(config: Config, tally: LayerTally, cost: EnergyBill, inferences: int) -> dict[str, Any]:
    energy = {**cost.as_dict(tally.macs, inferences), "gated_macs": tally.gated_macs}
    found = (tally.accesses.as_dict(), link_split(config, tally.accesses), energy)
    keys: dict[str, Any] = dict(zip(KEYS, found, strict=True))
    if config.memory.present:
        keys["link_bytes"] = link_bytes(config, tally.accesses)
        keys["memory_bytes"] = memory_bytes(config, tally.accesses)
    return keys


def link_split(config: Config, accesses: Accesses) -> dict[str, int]:
    """Bytes on the link by what they are, both ways together; they add up to `link_bytes`.

    `other`, which is there only if there are some, are words that nobody tells apart.
    `filters_resident` move on the chip, and are no part of the sum.
    """
    split = {name: link_bytes(config, _of_link(accesses, data)) for name, data in _SPLIT.items()}
    other = link_bytes(config, accesses) - sum(split.values())
    if other:
        split["other"] = other
    split["filters_resident"] = resident_bytes(config, accesses)
    return split


def _of_link(accesses: Accesses, data: DataType) -> Accesses:
    chosen = {
        access: words
        for access, words in accesses.items()
        if access.level is Level.LINK and access.data is data
    }
    return Accesses.of(chosen)


def words_of(accesses: dict[str, Any], level: Level, data: DataType, way: Direction) -> int:
    """Words of a kind of access in the `accesses` of a row."""
    return int(accesses.get(level.value, {}).get(data.value, {}).get(way.value, 0))
