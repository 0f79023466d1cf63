"""A memory macro as a process offers it: `Macro`, the interface of all families of macros."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from hw.base.geometry import PortKind


@dataclass(frozen=True)
class Pin:
    """A pin of a macro: its name, "input" or "output", and its width in bits."""

    name: str
    direction: Literal["input", "output"]
    width: int = 1

    @property
    def declaration(self) -> str:
        """As a port of a Verilog module."""
        bits = "" if self.width == 1 else f"[{self.width - 1}:0] "
        return f"  {self.direction} wire {bits}{self.name}"


@dataclass(frozen=True, kw_only=True)
class Signals:
    """Verilog expressions that a macro of a composed memory is wired to.

    Attributes
    ----------
    write : one bit: this macro is written
    write_address, data : where, and what: as wide as the macro's pins
    mask : one bit for each bit of data: it is written
    read : one bit: this macro is read
    read_address : where; the same as `write_address` for a memory of one port
    result : a net as wide as the macro's data: what was read, a cycle after `read`
    unused : a net as wide as the macro's data for an output that nobody reads
    """

    write: str
    write_address: str
    data: str
    mask: str
    read: str
    read_address: str
    result: str
    unused: str


@dataclass(frozen=True, kw_only=True)
class MacroPort:
    """The pins of a port of a macro, for simulators that know nothing else of it.

    Attributes
    ----------
    clock : works at its rising edge
    active, write, read : control pins. `!` before a name: active low; "0", "1": no pin, never or
        always
    address, output : buses
    data, mask : buses; "" for a port that never writes
    """

    clock: str
    active: str
    write: str
    read: str
    address: str
    output: str
    data: str = ""
    mask: str = ""

    @property
    def controls(self) -> Sequence[str]:
        """Names of the control pins."""
        pins = (self.active, self.write, self.read)
        return tuple(dict.fromkeys(pin.lstrip("!") for pin in pins if pin not in ("0", "1")))


@dataclass(frozen=True, kw_only=True)
class Macro(ABC):
    """A memory macro.

    Attributes
    ----------
    name : of its module
    depth, width : words, and bits in a word
    size : width and height in micrometres, unrotated
    """

    mask_bits: ClassVar[int] = 1
    """Bits that are written together."""
    holds: ClassVar[bool] = True
    """Whether what was read stays until the next read; else for one cycle only."""

    name: str
    depth: int
    width: int
    size: tuple[float, float]

    @property
    def area(self) -> float:
        """In µm²."""
        return self.size[0] * self.size[1]

    @property
    def address_bits(self) -> int:
        """Bits of an address."""
        return (self.depth - 1).bit_length()

    @abstractmethod
    def serves(self, ports: PortKind) -> bool:
        """Whether memories of such ports can be made of it."""

    @abstractmethod
    def pins(self) -> Sequence[Pin]:
        """All pins but those of the supply, in the order of the vendor's Verilog."""

    @property
    @abstractmethod
    def ports(self) -> Sequence[MacroPort]:
        """The same by what they do; only the first of our memories' ports ever writes."""

    @property
    @abstractmethod
    def tied_off(self) -> Sequence[str]:
        """Pins that must be 0, since what they do is not modelled."""

    @abstractmethod
    def connections(self, ports: PortKind, signals: Signals) -> Mapping[str, str]:
        """The expression at every pin, in a memory of such ports; the clock is `clk`."""

    @abstractmethod
    def behaviour(self) -> str:
        """Verilog between the ports and `endmodule`, for simulation; refuses unused functions."""

    def stub(self) -> str:
        """An empty module, for synthesis and for timing by the vendor's own files."""
        return f"(* blackbox *)\n{self._header()}endmodule\n"

    def model(self) -> str:
        """A module for simulation, written from what the vendor's data say of the pins."""
        return f"{self._header()}{self.behaviour()}endmodule\n"

    def _header(self) -> str:
        ports = ",\n".join(pin.declaration for pin in self.pins())
        return f"module {self.name} (\n{ports}\n);\n"


def zeros(bits: int) -> str:
    """A Verilog constant."""
    return f"{bits}'d0"
