"""How gateware is put together: each distinct block is one Verilog module.

A block is placed as any Amaranth component is, `m.submodules.name = block`. In Amaranth's simulator
it becomes a submodule. Where Verilog is written (on a `ModulePlatform`) it becomes an instance of a
named module, so that 168 equal processing elements are elaborated once.
"""

import functools
import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from typing import Any, ClassVar, Literal, Self, TypeVar

from amaranth.hdl import (
    ClockSignal,
    Fragment,
    Instance,
    ResetInserter,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from hw.base.geometry import MemoryGeometry
from hw.base.rtlil_text import RESERVED_WORDS
from hw.base.unused import mark_used

MemoryStyle = Literal["infer", "blackbox", "macros"]
AnyBlock = TypeVar("AnyBlock", bound="Block")


class ModulePlatform(ABC):
    """A platform that turns each distinct block into a named module; see `hw.emit.verilog`.

    Attributes
    ----------
    memories : "infer", "blackbox" or "macros"
        How `Ram` and `SinglePortRam` are built; see `hw.base.memory`.
    converting : Block or None
        The block whose own module is being written; every other block is an instance in it.
    """

    memories: MemoryStyle = "infer"
    converting: "Block | None" = None

    @abstractmethod
    def prefixed(self, name: str) -> str:
        """Name, among the design's own, of a module that is not made from a block."""

    def macro(self, geometry: MemoryGeometry) -> str:
        """Name of the module without parameters that stands for a memory, for style "macros"."""
        return self.prefixed(f"macro_{geometry.name}")

    @abstractmethod
    def register(self, block: "Block") -> str:
        """Make sure that a module for `block` exists; returns the module's name."""

    def contents(self, block: "Block") -> Fragment:
        """What a block consists of, in which every other block is an instance."""
        outer, self.converting = self.converting, block
        try:
            return Fragment.get(block, self)
        finally:
            self.converting = outer

    def instance(self, block: "Block") -> Instance:
        """An instance of a block's module, wired to its ports and its domains' clocks and resets.

        An enclosing `DomainRenamer` or `ResetInserter` acts on it as on a submodule; an enclosing
        `EnableInserter` cannot, and is refused where Verilog is written.
        """
        module_name = self.register(block)
        connections: dict[str, Any] = {}
        for domain in block.clock_domains:
            connections[f"i_{clock_port(domain)}"] = ClockSignal(domain)
            connections[f"i_{reset_port(domain)}"] = ResetSignal(domain, allow_reset_less=True)
        for port, signal, flow in signature_ports(block):
            connections[f"{'i' if flow is In else 'o'}_{port}"] = signal
        mark_used(block)
        return Instance(module_name, **connections)

    @abstractmethod
    def add_file(self, name: str, text: str) -> None:
        """Bring somebody else's Verilog; an `Instance` finds its modules by `prefixed` names."""


class Block(wiring.Component):
    """A component that is emitted once per set of constructor arguments.

    The arguments are recorded when the object is made, so a subclass writes an ordinary
    constructor. Two blocks of one class with equal arguments must elaborate to the same hardware:
    nothing else may influence `elaborate`. Ports are named by their path in the signature, joined
    by two underscores (`ifmap__payload`).

    Attributes
    ----------
    clock_domains : tuple of str
        Domains the block uses. `sync` becomes the ports `clk` and `rst`; any other domain `d`
        becomes `d_clk` and `d_rst`.
    """

    clock_domains: ClassVar[tuple[str, ...]] = ("sync",)
    _arguments: tuple[tuple, dict]
    _is_inlined = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "elaborate" in vars(cls):
            cls.elaborate = _placed(vars(cls)["elaborate"])

    def __new__(cls, *args: Any, src_loc_at: int = 0, **kwargs: Any) -> Self:
        self: Self = super().__new__(cls, *args, src_loc_at=src_loc_at + 1, **kwargs)
        self._arguments = (args, kwargs)
        return self

    @property
    def module_name(self) -> str:
        """The wished-for name of the module: the class name in snake case (`PEArray`: pe_array).

        The emitter puts the design's prefix before it.
        """
        return re.sub(
            r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(self).__name__
        ).lower()

    @property
    def module_key(self) -> Hashable:
        """What tells distinct modules apart: the class and all constructor arguments."""
        args, kwargs = self._arguments
        bound = inspect.signature(type(self).__init__).bind(self, *args, **kwargs)
        bound.apply_defaults()
        arguments = list(bound.arguments.items())[1:]  # without `self`
        return (type(self), tuple((name, _freeze(value)) for name, value in arguments))


def _placed(elaborate: Callable[[Any, object], Any]) -> Callable[[Any, object], Any]:
    """`elaborate` of a block: on a `ModulePlatform` an instance, except in the block's own module.

    Amaranth asks a component for its contents where it is placed, which is all that a parent must
    do; so the choice between contents and instance needs no call of ours in every parent.
    """

    @functools.wraps(elaborate)
    def contents_or_instance(self: "Block", platform: object) -> Any:
        if not isinstance(platform, ModulePlatform) or self._is_inlined:
            return elaborate(self, platform)
        if platform.converting is self:
            return elaborate(self, platform)
        return platform.instance(self)

    return contents_or_instance


def inlined(block: AnyBlock) -> AnyBlock:
    """Let a block's contents be in the module of its parent, also where Verilog is written.

    For small parts of a block that there are many of: a PE's FIFOs as modules of their own would
    be two thirds of the instances of an array. Returns the block.
    """
    block._is_inlined = True
    return block


def _freeze(value: Any) -> Hashable:
    """A hashable stand-in for a constructor argument; equal arguments give equal stand-ins."""
    if isinstance(value, dict):
        return ("dict", tuple((_freeze(key), _freeze(item)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return ("sequence", tuple(_freeze(item) for item in value))
    if isinstance(value, set | frozenset):
        return frozenset(_freeze(item) for item in value)
    if isinstance(value, data.Layout | wiring.Signature):
        return (type(value), repr(value))
    if not isinstance(value, Hashable):
        raise TypeError(f"an argument of a block must be hashable, not {value!r}")
    return value


def clock_port(domain: str) -> str:
    """Name of the clock port of a module for `domain`."""
    return "clk" if domain == "sync" else f"{domain}_clk"


def reset_port(domain: str) -> str:
    """Name of the synchronous active-high reset port of a module for `domain`."""
    return "rst" if domain == "sync" else f"{domain}_rst"


def signature_ports(component: wiring.Component) -> Iterator[tuple[str, Signal, wiring.Flow]]:
    """Flattened ports of a component as (name, signal, flow), without those of no bits.

    A word that Verilog reserves gets a trailing underscore: the member `config` is port `config_`.
    """
    for path, member, port in component.signature.flatten(component):
        signal = Value.cast(port)
        if len(signal) > 0:
            name = "__".join(map(str, path))
            yield f"{name}_" if name in RESERVED_WORDS else name, signal, member.flow


class ResetReplacer(ResetInserter):
    """A `ResetInserter` whose signal is set whenever the domain's reset was active a cycle before.

    A module below it therefore gets this signal alone as its reset: where it is a register, no gate
    stands in the widest of all nets.
    """
