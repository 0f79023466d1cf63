"""Reads liberty files: as much of them as area, leakage and energy of cells need."""

import gzip
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hw.arch.errors import RowforgeError

_TOKEN = re.compile(r'"[^"]*"|[{}();:,]|[^\s{}();:,"]+')
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_WATTS = {"1pW": 1e-12, "10pW": 1e-11, "100pW": 1e-10, "1nW": 1e-9, "1uW": 1e-6, "1mW": 1e-3}
_VOLTS = {"1V": 1.0, "1mV": 1e-3}


@dataclass
class LibertyGroup:
    """A group of a liberty file.

    Attributes
    ----------
    kind : "cell", "pin", …
    arguments : in its brackets
    values : simple attributes by name; of several of a name the first
    lists : complex attributes by name, with their arguments; of several of a name the first
    groups : in it, in their order
    """

    kind: str
    arguments: Sequence[str]
    values: dict[str, str] = field(default_factory=dict)
    lists: dict[str, Sequence[str]] = field(default_factory=dict)
    groups: list["LibertyGroup"] = field(default_factory=list)

    def of(self, *kinds: str) -> Iterator["LibertyGroup"]:
        """The groups of such kinds."""
        return (group for group in self.groups if group.kind in kinds)


@dataclass(frozen=True)
class Library:
    """A liberty file.

    Attributes
    ----------
    name : of the library
    cells : by name
    templates : of power tables, by name
    volts, celsius : nominal supply and temperature
    leakage_unit : watts of the unit of leakage
    capacitance_unit : farads of the unit of capacitance
    """

    name: str
    cells: dict[str, LibertyGroup]
    templates: dict[str, LibertyGroup]
    volts: float
    celsius: float
    leakage_unit: float
    capacitance_unit: float

    @property
    def corner(self) -> str:
        """By which the files of a corner are known to belong together."""
        return f"{self.volts:g} V {self.celsius:g} °C"

    @property
    def energy_unit(self) -> float:
        """Joules of the unit of tables of internal power: volts² times that of capacitance."""
        return self.capacitance_unit

    def area(self, cell: str) -> float:
        """µm² of a cell."""
        return float(self.cells[cell].values["area"])

    def leakage(self, cell: str) -> float:
        """Watts of a cell: its own figure, or the mean of its states."""
        group = self.cells[cell]
        if (own := group.values.get("cell_leakage_power")) is not None:
            return float(own) * self.leakage_unit
        states = [float(state.values["value"]) for state in group.of("leakage_power")]
        return self.leakage_unit * sum(states) / len(states) if states else 0.0


def liberty_text(path: Path) -> str:
    """The text of a `.lib` or `.lib.gz` file; `RowforgeError` if it cannot be read."""
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "replace")
    except (OSError, EOFError) as error:
        raise RowforgeError(f"cannot read liberty file {path}: {error}") from None


def read_liberty(path: Path) -> Library:
    """A liberty file; `RowforgeError` if it cannot be read or is none."""
    return parse_liberty(liberty_text(path), str(path))


def parse_liberty(text: str, source: str = "liberty") -> Library:
    """The same from text."""
    tokens = _TOKEN.findall(_COMMENT.sub(" ", text).replace("\\\n", " "))
    try:
        top = _Parser(tokens).group_items(LibertyGroup("", ())).groups[0]
    except IndexError:
        raise RowforgeError(f"liberty file must hold a library, as {source} does not") from None
    if top.kind != "library":
        raise RowforgeError(f"liberty file must hold a library, not {top.kind!r}: {source}")
    amount, unit = top.lists.get("capacitive_load_unit", ("1", "pf"))
    watts = top.values.get("leakage_power_unit", "1nW")
    return Library(
        name=top.arguments[0] if top.arguments else source,
        cells={cell.arguments[0]: cell for cell in top.of("cell")},
        templates={group.arguments[0]: group for group in top.of("power_lut_template")},
        volts=float(top.values["nom_voltage"]) * _VOLTS[top.values.get("voltage_unit", "1V")],
        celsius=float(top.values["nom_temperature"]),
        leakage_unit=_WATTS[watts],
        capacitance_unit=float(amount) * {"pf": 1e-12, "ff": 1e-15}[unit.lower()],
    )


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: Sequence[str]):
        self._tokens = tokens
        self._at = 0

    def group_items(self, group: LibertyGroup) -> LibertyGroup:
        """Everything up to the closing brace, or the end."""
        tokens = self._tokens
        while self._at < len(tokens):
            name = tokens[self._at]
            self._at += 1
            if name == "}":
                break
            if name == ";":
                continue
            if self._peek() == ":":
                group.values.setdefault(name, self._simple())
            elif self._peek() == "(":
                arguments = self._arguments()
                if self._peek() == "{":
                    self._at += 1
                    group.groups.append(self.group_items(LibertyGroup(name, arguments)))
                else:
                    group.lists.setdefault(name, arguments)
        return group

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _simple(self) -> str:
        """The value after a colon; some vendors forget the semicolon, but not the next line."""
        self._at += 1
        value = self._tokens[self._at].strip('"')
        self._at += 1
        while self._peek() not in (";", "}", "") and self._follows():
            value += f" {self._peek()}"
            self._at += 1
        return value

    def _follows(self) -> bool:
        """Whether the next token belongs to the value: no attribute or group begins with it."""
        after = self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else ""
        return after not in (":", "(")

    def _arguments(self) -> list[str]:
        found = []
        self._at += 1
        while self._peek() not in (")", ""):
            if self._peek() != ",":
                found.append(self._peek().strip('"'))
            self._at += 1
        self._at += 1
        return found
