"""The modules of emitted Verilog, told apart by what they hold and not by what they are called.

A block that a bench runs alone and the same block in an accelerator differ in names alone, their
own and those of their children; what is counted in one adds to the other.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

_MODULE = re.compile(r"^module (\w+)\(([^;]*)\);$(.*?^endmodule)$", re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(r"^  (\w+) (\w+) \($", re.MULTILINE)
_MEMORY = re.compile(r"^  reg (?:signed )?(?:\[\d+:\d+\] )?\w+ \[\d+:\d+\];$", re.MULTILINE)
# The register by which yosys starts every combinational process: simulators by events need it.
_TRIGGER = re.compile(
    r"^(?:  reg at_start;|  initial at_start = 0;|    if \(at_start\) begin end)$", re.MULTILINE
)
_OFF, _ON = "/*verilator coverage_off*/", "/*verilator coverage_on*/"


def prepared(verilog: str) -> str:
    """Verilog with what is not to be counted out of the way, line by line as long as before.

    The emitter's start trigger is removed: Verilator evaluates every process at the start by
    itself. Words of memories have no toggle points; the ports that read and write them have.
    """
    without = _TRIGGER.sub("", verilog)
    return _MEMORY.sub(lambda found: f"{_OFF}{found.group()}{_ON}", without)


@dataclass(frozen=True, kw_only=True)
class CoveredModule:
    """A module of a design.

    Attributes
    ----------
    name : str
        As it is called in the design, without the design's prefix; of the top module its class.
    identity : str
        Hash of its text, in which names of modules are replaced by their identities.
    first : int
        Line on which its header ends, the first of the file is 1.
    text : str
        Of the module, from that line on, the header in one line.
    maker : str
        The Python class whose `elaborate` wrote it, as module.Class; "" if unknown.
    """

    name: str
    identity: str
    first: int
    text: str
    maker: str


class CoveredDesign:
    """The modules of a design by the lines they stand on.

    Parameters
    ----------
    verilog : str
        As emitted.
    top : str
        Name of its top module, with an underscore the prefix of the others.
    makers : mapping
        The class of each module that is one block's; parts of a block are called after it, with
        two underscores.
    """

    def __init__(self, verilog: str, top: str, makers: Mapping[str, str]) -> None:
        self.text = prepared(verilog)
        found = list(_MODULE.finditer(self.text))
        texts = {match[1]: _text(match) for match in found}
        identity = _identities(texts)
        first, position = 1, 0
        modules = []
        for match in found:
            name, maker = match[1], _maker(match[1], makers)
            first += self.text.count("\n", position, match.start(3))
            position = match.start(3)
            shown = maker.rpartition(".")[2] if name == top else name.removeprefix(f"{top}_")
            modules.append(
                CoveredModule(
                    name=shown.lstrip("_"),
                    identity=identity(name),
                    first=first,
                    text=texts[name],
                    maker=maker,
                )
            )
        self.modules: Sequence[CoveredModule] = modules

    @cached_property
    def _firsts(self) -> list[int]:
        return [module.first for module in self.modules]

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")

    def line(self, number: int) -> str:
        """A line of the text, the first is 1."""
        return self._lines[number - 1]

    def declares(self, line: int) -> bool:
        """Whether a line declares a register."""
        return self.line(line).startswith("  reg ")

    def at(self, line: int) -> CoveredModule:
        """The module that a line of the file is in."""
        return self.modules[bisect_right(self._firsts, line) - 1]


def _text(module: re.Match[str]) -> str:
    """A module, the header in one line: where yosys breaks it depends on the module's name."""
    name, ports, body = module.groups()
    return f"module {name}({' '.join(ports.split())});{body}\n"


def _identities(texts: Mapping[str, str]) -> Callable[[str], str]:
    """What returns the identity of a module by its name."""
    known: dict[str, str] = {}

    def child(match: re.Match[str]) -> str:
        kind, instance = match.groups()
        return f"  {identity(kind) if kind in texts else kind} {instance} ("

    def identity(name: str) -> str:
        if name not in known:
            text = texts[name].replace(f"module {name}(", "module (", 1)
            known[name] = hashlib.sha256(_INSTANCE.sub(child, text).encode()).hexdigest()[:16]
        return known[name]

    return identity


def _maker(name: str, makers: Mapping[str, str]) -> str:
    while name not in makers and "__" in name:
        name = name.rpartition("__")[0]
    return makers.get(name, "")
