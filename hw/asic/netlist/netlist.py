"""Reads netlists that yosys writes as Verilog: modules, cells, and what pins are tied to."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

_MODULE = re.compile(r"^module (\S+?) ?\((.*?)\);\n(.*?)^endmodule", re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"^  (\w+) (\\\S+ |\w+) \(\n(.*?)\n  \);", re.MULTILINE | re.DOTALL)
_PIN = re.compile(r"^    \.(\w+)\((.*?)\),?$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class CellInstance:
    """A cell or a module in a module.

    Attributes
    ----------
    kind : of which cell or module
    name : without the mark of an escaped name
    pins : text of what each pin is tied to
    """

    kind: str
    name: str
    pins: dict[str, str]


@dataclass(frozen=True)
class Netlist:
    """A netlist with its hierarchy.

    Parameters
    ----------
    verilog : written by yosys without attributes and expressions
    top : name of the top module
    """

    verilog: str
    top: str

    @cached_property
    def modules(self) -> dict[str, list[CellInstance]]:
        """The cells of each module."""
        return {
            found[1]: [
                CellInstance(kind, name.strip().lstrip("\\"), dict(_PIN.findall(pins)))
                for kind, name, pins in _CELL.findall(found[3])
            ]
            for found in _MODULE.finditer(self.verilog)
        }

    @cached_property
    def counts(self) -> dict[str, Counter[str]]:
        """How often each kind of cell is in a module, its modules not looked into."""
        return {name: Counter(cell.kind for cell in cells) for name, cells in self.modules.items()}

    def instances(self) -> Iterator[tuple[str, str]]:
        """Path, with points between the names, and module of every module; the top is ""."""
        yield from self._below(self.top, "")

    def _below(self, module: str, path: str) -> Iterator[tuple[str, str]]:
        yield path, module
        for cell in self.modules[module]:
            if cell.kind in self.modules:
                yield from self._below(cell.kind, f"{path}.{cell.name}" if path else cell.name)
