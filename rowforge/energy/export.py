"""Counts of accesses for other tools: `export_accesses`.

A file that ends in .yaml has the form of Accelergy's action counts (version 0.3), those of all
layers together: a component for each level and data type, with the actions read and write, and
mac_random and mac_gated for products. A file that ends in .json has, for each layer, the form of
ZigZag's results (`outputs.memory.word_accesses`): by operand I, W and O the memory levels from the
innermost outwards, each with the words that it gives to the level below, takes from it, gives to
the level above and takes from that.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hw.arch.accesses import Access, DataType, Direction, Level, access_bits
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.energy.document import words_of

ROOT = "rowforge"
"""The component above all others in action counts."""

MEMORIES = (Level.SPAD, Level.BUFFER, Level.LINK)
"""Levels that are memories to ZigZag; behind the link is the host's."""

_READ, _WRITE = Direction.READ, Direction.WRITE
_LOW, _HIGH = ("rd_out_to_low", "wr_in_by_low"), ("rd_out_to_high", "wr_in_by_high")
_OPERANDS = {
    "I": (DataType.IFMAP, DataType.INPUT, DataType.SPILL),
    "W": (DataType.FILTER, DataType.RESIDENT),
    "O": (DataType.PSUM, DataType.OFMAP, DataType.OUTPUT, DataType.SPILL),
}


def check_export(path: Path) -> None:
    """`RowforgeError` for a name that says no form."""
    if path.suffix not in (".yaml", ".json"):
        raise RowforgeError(
            f"--export-accesses must name a file that ends in .yaml (Accelergy) or .json (ZigZag), "
            f"not {path.name!r}"
        )


def export_accesses(path: Path, config: Config, document: Mapping[str, Any]) -> None:
    """Write the accesses of a report to which `rowforge.energy.document.add_energy` has added them.

    Raises `RowforgeError` for a name that `check_export` refuses, or if it cannot be written.
    """
    check_export(path)
    text = (
        action_counts(config, document["total"])
        if path.suffix == ".yaml"
        else json.dumps(word_accesses(config, document), indent=1) + "\n"
    )
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RowforgeError(f"cannot write {path}: {error}") from None


def action_counts(config: Config, total: Mapping[str, Any]) -> str:
    """The accesses of a total as Accelergy's action counts."""
    lines = ["action_counts:", "  version: 0.3", "  local:"]
    for level, types in total["accesses"].items():
        if level == Level.MAC:
            products = sum(sum(ways.values()) for ways in types.values())
            gated = total["energy"]["gated_macs"] or 0
            counts = {"mac_random": products - gated, "mac_gated": gated}
            lines += _component(f"{ROOT}.mac", counts, config.array.data_width)
            continue
        for data, ways in types.items():
            bits = access_bits(config, Access(Level(level), DataType(data), _READ))
            lines += _component(f"{ROOT}.{data}_{level}", ways, bits)
    return "\n".join(lines) + "\n"


def _component(name: str, counts: Mapping[str, int], bits: int) -> list[str]:
    lines = [f"    - name: {name}  # {bits} bits", "      action_counts:"]
    for action, count in counts.items():
        lines += [f"        - name: {action}", f"          counts: {count}"]
    return lines


def word_accesses(config: Config, document: Mapping[str, Any]) -> dict[str, Any]:
    """The accesses of all layers as ZigZag writes them, with the bits of the words at each level.

    Commands and tables belong to no operand: `other` has their link words.
    """
    widths = {
        operand: [access_bits(config, Access(level, types[0], _READ)) for level in MEMORIES]
        for operand, types in _OPERANDS.items()
    }
    return {
        "memory_levels": ["spad", "buffer", "dram"],
        "word_bits": widths,
        "layers": {
            row["name"]: {"outputs": {"memory": {"word_accesses": _operands(row["accesses"])}}}
            for row in document["layers"]
            if row["accesses"]
        },
    }


def _operands(accesses: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        operand: [_four_ways(accesses, operand, level) for level in MEMORIES]
        for operand in _OPERANDS
    }
    link = accesses.get(Level.LINK.value, {})
    apart = (DataType.COMMAND, DataType.TABLE, DataType.ANY)
    found["other"] = sum(sum(link.get(data.value, {}).values()) for data in apart)
    return found


def _four_ways(accesses: dict[str, Any], operand: str, level: Level) -> dict[str, int]:
    """Words of an operand at a level, by where they come from or go.

    Psums and results come from the PEs; other words that are written come from outside, and results
    that are read at the buffer go there. A spill is a result where it is written, an ifmap where it
    is read.
    """
    ways = dict.fromkeys((*_LOW, *_HIGH), 0)
    for data in _OPERANDS[operand]:
        read, written = (words_of(accesses, level, data, way) for way in (_READ, _WRITE))
        if data is DataType.SPILL:
            read, written = (read, 0) if operand == "I" else (0, written)
        outwards = data is DataType.OFMAP and level is not Level.LINK
        ways[(_HIGH if outwards else _LOW)[0]] += read
        ways[(_LOW if operand == "O" else _HIGH)[1]] += written
    return ways
