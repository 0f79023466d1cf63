"""A technology table from the replay of a layer, and what it says of another one."""

from collections.abc import Mapping

from hw.arch.accesses import Level, access_bits
from hw.arch.config import Config
from hw.arch.energy import bill, parse_technology
from hw.arch.energy.technology import SIZES, UNIT_BITS
from rowforge.asic.replay import Replay
from rowforge.energy.layer_tally import LayerTally

_LEVELS = (Level.SPAD, Level.NETWORK, Level.BUFFER)
_PICO = 1e12

FITTED = (12, 16, 16, 3)
"""The layer that a table is fitted on: height and width, channels, filters, taps of a side."""


def fitted_technology(config: Config, replay: Replay, *, process: str, corner: str) -> str:
    """TOML of a table by which the replayed layer costs what it cost.

    A level's energy is divided by the bits that it moved, the energy of no access by core cycles.
    """
    prices = {
        level: replay.spent[level] * _PICO / units(config, replay.tally, level) for level in _LEVELS
    }
    macs = replay.spent[Level.MAC] * _PICO / replay.tally.macs
    cycle = replay.spent[Level.IDLE] * _PICO / replay.cycles
    sizes = (
        f"{config.array.rows} x {config.array.cols} PEs, scratchpads of {config.pe.ifmap_spad}, "
        f"{config.pe.filter_spad} and {config.pe.psum_spad} words, {config.buffer.banks} banks of "
        f"{config.buffer.depth} words"
    )
    lines = [
        f'name = "{process} replay"',
        'unit = "pJ"',
        f'process = "{process}, {corner}, no wires"',
        f'source = "a layer replayed on a netlist of {sizes}"',
        'licence = "that of the liberty files"',
        "",
        "[sizes]",
        *(f'"{name}" = {config.value(name)}' for name in SIZES),
    ]
    entries = [
        ("mac", macs, f"bits = {config.array.data_width}"),
        *((level.value, price, f"bits = {UNIT_BITS}") for level, price in prices.items()),
        ("idle", cycle, ""),
    ]
    for level, price, more in entries:
        lines += ["", "[[entries]]", f'level = "{level}"', f"energy = {price:.6g}"]
        lines += [more] if more else []
    return "\n".join(lines) + "\n"


def units(config: Config, tally: LayerTally, level: Level) -> float:
    """Words of `UNIT_BITS` bits that a layer moves at a level."""
    return sum(
        float(words) * access_bits(config, access) / UNIT_BITS
        for access, words in tally.accesses.items()
        if access.level is level
    )


def predicted(config: Config, table: str, other: Replay) -> Mapping[Level, float]:
    """Joules by level that a table says of another layer."""
    technology = parse_technology(table)
    cost = bill(config, technology, other.tally.accesses, cycles=other.cycles)
    return {level: cost.at(level) / _PICO for level in other.spent}


def replay_text(replay: Replay) -> str:
    """What a layer spent, level by level."""
    parts = [f"{level} {1e9 * joules:,.1f} nJ" for level, joules in replay.spent.items() if joules]
    per_mac = _PICO * replay.total / replay.tally.macs
    return (
        f"a layer of {replay.tally.macs:,} MACs in {replay.cycles:,} cycles: "
        f"{1e9 * replay.total:,.1f} nJ, {per_mac:.1f} pJ a MAC ({', '.join(parts)})"
    )
