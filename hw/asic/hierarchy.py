"""Which modules a design consists of, and how often: read from the Verilog that we emit ourselves.

Verilog by others beside it is not read; its modules count as empty.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

_MODULE = re.compile(r"^module (\w+) ?\(.*?^endmodule", re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(r"^  (\w+) (?:#\(.*?\) )?(\w+) \($", re.MULTILINE | re.DOTALL)
_DECLARED = re.compile(
    r"^  (?:output )?reg (?:\[(\d+):0\] )?(\w+)(?: \[(\d+):(\d+)\])?(?: = .*)?;$", re.MULTILINE
)
# Only clocked processes have such assignments: yosys writes the others with `=`.
_WRITTEN = re.compile(r"^ +(?:if \(.*\) )?(\w+)(?:\[[^\]]*\])* <= ", re.MULTILINE)
_KEYWORDS = {"module", "always", "assign", "wire", "reg", "input", "output", "if", "end"}


@dataclass(frozen=True)
class DesignHierarchy:
    """The instances of a design.

    Parameters
    ----------
    verilog : as `hw.emit.verilog` writes it, and wrappers of memories
    top : name of the top module
    """

    verilog: str
    top: str

    @cached_property
    def _texts(self) -> dict[str, str]:
        return {found[1]: found[0] for found in _MODULE.finditer(self.verilog)}

    @cached_property
    def children(self) -> dict[str, list[tuple[str, str]]]:
        """By module: module and name of each instance in it."""
        return {
            module: [
                (kind, name) for kind, name in _INSTANCE.findall(text) if kind not in _KEYWORDS
            ]
            for module, text in self._texts.items()
        }

    def instances(self) -> Iterator[tuple[str, str]]:
        """Path, with points between the names, and module of every instance; parents first."""
        yield from self._below(self.top, "")

    def _below(self, module: str, before: str) -> Iterator[tuple[str, str]]:
        for kind, name in self.children.get(module, []):
            yield before + name, kind
            yield from self._below(kind, f"{before}{name}.")

    @cached_property
    def register_bits(self) -> int:
        """Bits of all registers, those of inferred memories among them."""
        own = {module: _bits(text) for module, text in self._texts.items()}
        return own[self.top] + sum(own.get(module, 0) for _, module in self.instances())


def _bits(text: str) -> int:
    """Bits of the registers of one module: what clocked processes assign."""
    sizes = {
        name: (int(high or 0) + 1) * (abs(int(last) - int(first)) + 1 if last else 1)
        for high, name, last, first in _DECLARED.findall(text)
    }
    return sum(sizes.get(name, 0) for name in set(_WRITTEN.findall(text)))
