"""How often each bit of a netlist changed: `Toggles`, and its reader of VCD waves."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hw.arch.errors import RowforgeError

Bit = tuple[str, int]
"""A bit of a wave: the code of its variable in the file, and its number."""


def net_text(pin: str) -> str:
    """What a pin of a netlist is tied to, as it is written in `Toggles.bits`."""
    return pin.strip().lstrip("\\").replace(" ", "")


@dataclass(frozen=True)
class Toggles:
    """What a wave holds of a design.

    Attributes
    ----------
    bits : by path of an instance (points between names, "" the top) and text of a net's bit
    counts : changes between 0 and 1 of each bit
    ones : times, in the file's unit, for which each bit that ever was 1 was 1
    span : time that was counted, in the file's unit
    period : of the clock, in the file's unit
    """

    bits: dict[tuple[str, str], Bit]
    counts: Counter[Bit]
    ones: Counter[Bit]
    span: int
    period: int = 2


def read_vcd(path: Path, *, levels: int, since: int = 0) -> Toggles:
    """A wave.

    Parameters
    ----------
    path : Path
        Four-state VCD with constant declarations at its head.
    levels : int
        Scopes around the design, its own among them.
    since : int
        Changes before this time are not counted.

    Raises `RowforgeError` for a file that cannot be read or has no variables.
    """
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            bits, widths = _declared(file, levels)
            if not widths:
                raise RowforgeError(f"wave must declare variables, as {path} does not")
            return _counted(file, bits, widths, since)
    except OSError as error:
        raise RowforgeError(f"cannot read wave {path}: {error.strerror}") from None


def _declared(
    file: Iterator[str], levels: int
) -> tuple[dict[tuple[str, str], Bit], dict[str, int]]:
    """The names of all bits, and the width of each code."""
    scope: list[str] = []
    bits: dict[tuple[str, str], Bit] = {}
    widths: dict[str, int] = {}
    for line in file:
        words = line.split()
        if not words:
            continue
        if words[0] == "$scope":
            scope.append(words[2].lstrip("\\"))
        elif words[0] == "$upscope":
            scope.pop()
        elif words[0] == "$var":
            width, code, name = int(words[2]), words[3], words[4].lstrip("\\")
            place = ".".join(scope[levels:])
            widths[code] = max(width, widths.get(code, 0))
            chosen = words[5] if words[5] != "$end" else ""
            if width == 1:
                bits[place, name + (chosen if ":" not in chosen else "")] = code, 0
                bits.setdefault((place, name), (code, 0))
                continue
            low = int(found[1]) if (found := re.match(r"\[\d+:(\d+)\]", chosen)) else 0
            for bit in range(width):
                bits[place, f"{name}[{bit + low}]"] = code, bit
        elif words[0] == "$enddefinitions":
            break
    return bits, widths


def _counted(
    file: Iterator[str], bits: dict[tuple[str, str], Bit], widths: dict[str, int], since: int
) -> Toggles:
    """The changes of all bits."""
    values: dict[str, str] = {}
    rose: dict[Bit, int] = {}
    counts: Counter[Bit] = Counter()
    ones: Counter[Bit] = Counter()
    time = 0

    def change(bit: Bit, before: str, after: str) -> None:
        if time >= since and before in "01" and after in "01":
            counts[bit] += 1
        if after == "1":
            rose[bit] = time
        elif bit in rose:
            ones[bit] += time - max(rose.pop(bit), since) if time > since else 0

    for line in file:
        first = line[0]
        if first == "#":
            time = int(line[1:])
        elif first in "01xz":
            code = line[1:].rstrip()
            before = values.get(code, "x")
            if before != first:
                change((code, 0), before, first)
                values[code] = first
        elif first == "b":
            value, code = line[1:].split()
            width = widths[code]
            value = value.rjust(width, "0" if value[0] == "1" else value[0])
            before = values.get(code, "x" * width)
            for place, (old, new) in enumerate(zip(before, value, strict=True)):
                if old != new:
                    change((code, width - 1 - place), old, new)
            values[code] = value
    for bit, start in rose.items():
        ones[bit] += time - max(start, since)
    return Toggles(bits, counts, ones, time - since)
