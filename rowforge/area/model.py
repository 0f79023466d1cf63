"""Cells of a configuration by a model fitted to syntheses: `modelled`.

Block RAMs and multipliers are counted. LUTs and registers of each part are sums of features
(`rowforge.area.features`) times coefficients, which `python -m benchmarks.area.fit` finds and keeps
in `ecp5.json`. A coefficient is null where no synthesis had another value of the feature.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.area.cells import CellCount
from rowforge.area.features import features
from rowforge.area.memories import block_rams

_OF_A_UNIT, _OTHER = 5, 1  # multipliers: of a lane, four to requantise; of results' addresses
FITTED = ("luts", "registers")


def modelled(config: Config) -> CellCount:
    """The cells of the accelerator of a configuration, without a board's link.

    Raises `RowforgeError` for parts that no coefficients are for: a microcontroller, a memory,
    several clusters.
    """
    return sum(modelled_parts(config).values(), CellCount())


def modelled_parts(config: Config) -> dict[str, CellCount]:
    """The same by part; block RAMs and multipliers are with the part `counted`."""
    if config.clusters.several:
        raise RowforgeError(
            f"clusters.y and clusters.x must be 1 where area is modelled, not {config.clusters.y} "
            f"and {config.clusters.x}: no coefficients are for what joins clusters"
        )
    if config.control.microcontroller or config.memory.present:
        raise RowforgeError(
            'areas are modelled for control.kind "engines" and memory.kind "none" only, not for '
            f'"{config.control.kind}" with "{config.memory.kind}"'
        )
    coefficients = _coefficients()
    found = {}
    for part, numbers in features(config).items():
        luts, registers = (
            sum(value * (coefficients[kind][part][name] or 0) for name, value in numbers.items())
            for kind in FITTED
        )
        found[part] = CellCount(luts=round(luts), registers=round(registers))
    counted = CellCount(block_rams=block_rams(config), multipliers=multipliers(config))
    return {**found, "counted": counted}


def unseen(before: Config, after: Config) -> list[str]:
    """Features that a change changes though they were the same in all syntheses.

    The model knows nothing of what they cost, and leaves it out.
    """
    coefficients, old, new = _coefficients()["luts"], features(before), features(after)
    return [
        f"{name} ({part})"
        for part, numbers in new.items()
        for name, value in numbers.items()
        if coefficients[part][name] is None
        and value * old[part]["one"] != old[part][name] * numbers["one"]
    ]


def multipliers(config: Config) -> int:
    """Multipliers of 18 x 18 bits: of the PEs, of requantisation, of addresses and products."""
    return config.multipliers + config.post.units * _OF_A_UNIT + _OTHER


@cache
def _coefficients() -> Mapping[str, Any]:
    text = (resources.files("rowforge") / "area" / "ecp5.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return document
