"""A layout for GTKWave beside each file of waves: the ports, those of a stream together."""

import re
from pathlib import Path

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
    """Write `NAME.gtkw` beside a file of waves; returns it.

    `@28` shows a bit in binary, `@22` a vector in hexadecimal, `@200` a comment.
    """
    lines = [f'[dumpfile] "{waves.resolve()}"', "[timestart] 0", "*-16 0"]
    for group, members in grouped(ports(verilog, top)).items():
        lines += ["@200", f"-{group}"]
        for name, width in members:
            bits = "" if width == 1 else f"[{width - 1}:0]"
            lines += ["@28" if width == 1 else "@22", f"{top}.{name}{bits}"]
    layout = waves.with_suffix(".gtkw")
    layout.write_text("\n".join(lines) + "\n")
    return layout
