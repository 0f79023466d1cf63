"""A layout for GTKWave beside each file of waves: the ports, those of a stream together."""

import re
from pathlib import Path

from sim.wave_layout import write_wave_layout

_PORT = re.compile(
    r"^\s*(?:input|output)\s+(?:wire|reg)?\s*(?:signed)?\s*(?:\[(\d+):(\d+)\])?\s*(\w+)\s*;", re.M
)


def ports(verilog: str, top: str) -> list[tuple[str, int]]:
    """Names and widths of a module's ports, in the order of their declaration."""
    found = re.search(rf"^module {re.escape(top)}\b.*?^endmodule", verilog, re.M | re.S)
    if found is None:
        raise ValueError(f"no module {top} in the Verilog")
    return [
        (name, int(high) - int(low) + 1 if high else 1)
        for high, low, name in _PORT.findall(found.group())
    ]


def grouped(names: list[tuple[str, int]]) -> dict[str, list[tuple[str, int]]]:
    """Ports by what stands before the last double underscore: a stream's three are together."""
    groups: dict[str, list[tuple[str, int]]] = {}
    for name, width in names:
        stream = name.rpartition("__")[0] or "signals"
        groups.setdefault(stream, []).append((name, width))
    return groups


def write_layout(waves: Path, verilog: str, top: str) -> Path:
    """Write `NAME.gtkw` beside a file of waves of the module `top`; returns it."""
    groups = grouped(ports(verilog, top)).items()
    return write_wave_layout(
        waves,
        (
            (group, [(f"{top}.{name}", width) for name, width in members])
            for group, members in groups
        ),
    )
