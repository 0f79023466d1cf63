"""What nextpnr reports: resources, frequency, critical path."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.arch.errors import RowforgeError

_PATH_CELLS = 40  # of a critical path that are kept
_INNER = re.compile(r"^design\.(device\.)?(accelerator\.)?(core\.)?(engine\.)?(core\.)?")
# What yosys appends to a signal's name when it names a cell or a net after it.
_MADE = re.compile(
    r"_(LUT[0-9]+|TRELLIS_FF|TRELLIS_DPR16X4|CCU2C|PFUMX|L6MUX21|SB_[A-Z0-9]+|DFF[A-Z]*|ALU|"
    r"MUX2_LUT[0-9]|RAM16S[A-Z0-9]+|MULT[0-9X]+D?|DP16KD?|COMB|FF|RAMW)(_.*)?$"
)


@dataclass(frozen=True)
class Hop:
    """One step of a path: a cell and the net after it, in the design's names, and nanoseconds."""

    kind: str
    name: str
    delay_ns: float


@dataclass(frozen=True)
class Outcome:
    """What place and route came to.

    Attributes
    ----------
    used, available : dict
        Cells by nextpnr's names.
    fmax, constraint : float
        Of the design's clock, in Hz.
    met : bool
        Whether every clock meets its constraint.
    path : list of Hop
        The slowest path between registers of the design's clock.
    """

    used: Mapping[str, int]
    available: Mapping[str, int]
    fmax: float
    constraint: float
    met: bool
    path: list[Hop]


def read_report(path: Path, target: float) -> Outcome:
    """Of a file written by `nextpnr --report`; `target` in Hz tells the design's clock.

    Raises `RowforgeError` if the file is missing, damaged or knows no clock.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RowforgeError(f"nextpnr has left no report that can be read: {error}") from None
    clocks = document.get("fmax") if isinstance(document, dict) else None
    if not clocks:
        raise RowforgeError("nextpnr's report names no clock")
    name = min(clocks, key=lambda clock: abs(clocks[clock]["constraint"] * 1e6 - target))
    clock = clocks[name]
    cells = document["utilization"]
    return Outcome(
        used={cell: counts["used"] for cell, counts in cells.items()},
        available={cell: counts["available"] for cell, counts in cells.items()},
        fmax=clock["achieved"] * 1e6,
        constraint=clock["constraint"] * 1e6,
        met=clock["achieved"] * 1e6 >= target
        and all(item["achieved"] >= item["constraint"] for item in clocks.values()),
        path=_critical_path(document.get("critical_paths", []), name),
    )


def _critical_path(paths: list[dict[str, Any]], clock: str) -> list[Hop]:
    """The first path whose both ends are of the clock."""
    for item in paths:
        ends = [item["from"].split(" ")[-1], item["to"].split(" ")[-1]]
        if ends == [clock, clock]:
            hops = [_hop(part) for part in item["path"]]
            return _merged(hops)[:_PATH_CELLS]
    return []


def _hop(part: Mapping[str, Any]) -> Hop:
    place = part["to"] if part["type"] == "setup" else part["from"]
    name = part.get("net") or place["cell"]
    return Hop(part["type"], design_name(name), round(part["delay"], 3))


def _merged(hops: list[Hop]) -> list[Hop]:
    """Logic and the routing after it as one hop, for they have one name."""
    merged: list[Hop] = []
    for hop in hops:
        if merged and merged[-1].name == hop.name:
            last = merged[-1]
            merged[-1] = Hop(last.kind, last.name, round(last.delay_ns + hop.delay_ns, 3))
        else:
            merged.append(hop)
    return merged


def design_name(name: str) -> str:
    """The signal of the design that a cell or net is named after."""
    short = _INNER.sub("", name.split("$")[0].rstrip(".") or name)
    while (found := _MADE.search(short)) is not None and found.start():
        short = short[: found.start()]
    return short


def sentence(path: list[Hop]) -> str:
    """A critical path in a sentence."""
    if not path:
        return "nextpnr names no critical path"
    total = sum(hop.delay_ns for hop in path)
    names = list(dict.fromkeys(hop.name for hop in path))
    return f"{total:.1f} ns from {names[0]} to {names[-1]} by {' → '.join(names[1:-1]) or 'a wire'}"
