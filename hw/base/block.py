"""How gateware is put together: each distinct block is one Verilog module, and one memory form.

Three things that all gateware uses:

- `Block`, the base class of components that become Verilog modules of their own;
- `instantiate`, which places a block: as a submodule in Amaranth's simulator, as an instance of a
  named module where Verilog is written, so that 168 equal processing elements are elaborated once;
- `Ram` and `SinglePortRam`, the only memories: inferred from Verilog, or left as black boxes for
  the macros of an ASIC process.
"""

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator
from typing import Any, ClassVar, Literal, Self

from amaranth.hdl import (
    ClockSignal,
    Elaboratable,
    Instance,
    Module,
    ResetInserter,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arch.errors import RowforgeError
from hw.base.rtlil_text import RESERVED_WORDS

MemoryStyle = Literal["infer", "blackbox"]


class ModulePlatform(ABC):
    """A platform that turns each distinct block into a named module; see `hw.emit.verilog`.

    Attributes
    ----------
    memories : "infer" or "blackbox"
        How `Ram` and `SinglePortRam` are built.
    """

    memories: MemoryStyle = "infer"

    @abstractmethod
    def prefixed(self, name: str) -> str:
        """Name, among the design's own, of a module that is not made from a block."""

    @abstractmethod
    def register(self, block: "Block") -> str:
        """Make sure that a module for `block` exists; returns the module's name."""

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


def instantiate(m: Module, platform: object, name: str, component: Block) -> Block:
    """Place `component` in `m` under `name`; returns the component.

    On a `ModulePlatform` the component is registered as a module (elaborated only if no equal one
    has been) and an instance of that module is wired to the component's ports and to the clock and
    reset of its domains. On any other platform, the simulator's None among them, it becomes an
    ordinary submodule. Wire its ports in either case as usual.

    An enclosing `DomainRenamer` or `ResetInserter` acts on the instance as on a submodule; an
    enclosing `EnableInserter` cannot, and is refused where Verilog is written.
    """
    if not isinstance(platform, ModulePlatform):
        m.submodules[name] = component
        return component
    module_name = platform.register(component)
    connections: dict[str, Any] = {}
    for domain in component.clock_domains:
        connections[f"i_{clock_port(domain)}"] = ClockSignal(domain)
        connections[f"i_{reset_port(domain)}"] = ResetSignal(domain, allow_reset_less=True)
    for port, signal, flow in signature_ports(component):
        signal.name = f"{name}__{port}"  # what the wire between instances is called
        connections[f"{'i' if flow is In else 'o'}_{port}"] = signal
    m.submodules[name] = Instance(module_name, **connections)
    _mark_used(component)
    return component


class ResetReplacer(ResetInserter):
    """A `ResetInserter` whose signal is set whenever the domain's reset was active a cycle before.

    A module below it therefore gets this signal alone as its reset: where it is a register, no gate
    stands in the widest of all nets.
    """


def _mark_used(owner: object) -> None:
    """Keep Amaranth from warning of a block (and parts it made early) that is never elaborated."""
    if isinstance(owner, Elaboratable) and not getattr(owner, "_MustUse__used", True):
        owner._MustUse__used = True  # the mark that Amaranth itself sets
        for part in vars(owner).values():
            _mark_used(part)
    elif isinstance(owner, list | tuple):
        for part in owner:
            _mark_used(part)


def _check_geometry(width: int, depth: int, lane_width: int | None) -> int:
    """Refuse an impossible memory; returns the width of a lane in bits."""
    if not isinstance(width, int) or width < 1:
        raise RowforgeError(f"memory width must be a positive number of bits, not {width!r}")
    if not isinstance(depth, int) or depth < 1:
        raise RowforgeError(f"memory depth must be a positive number of words, not {depth!r}")
    lane = width if lane_width is None else lane_width
    if not isinstance(lane, int) or lane < 1 or width % lane:
        raise RowforgeError(
            f"lane width must be a divisor of the width {width}, not {lane_width!r}"
        )
    return lane


class _RamBase(Block):
    """What both memories share: geometry and names."""

    _macro: ClassVar[str]

    def __init__(self, signature: dict, *, width: int, depth: int, lane_width: int):
        super().__init__(signature)
        self.width = width
        self.depth = depth
        self.lane_width = lane_width

    @property
    def lanes(self) -> int:
        """Number of lanes written apart from each other."""
        return self.width // self.lane_width

    @property
    def module_name(self) -> str:
        lanes = f"_l{self.lane_width}" if self.lanes > 1 else ""
        return f"{self._macro}_{self.depth}x{self.width}{lanes}"

    def _black_box(self, platform: ModulePlatform, **ports: Value) -> Instance:
        """The macro in place of an inferred memory."""
        return Instance(
            platform.prefixed(self._macro),
            p_WIDTH=self.width,
            p_DEPTH=_rows(self.depth),
            p_LANE_WIDTH=self.lane_width,
            i_clk=ClockSignal(),
            **ports,
        )


def _rows(depth: int) -> int:
    """Rows really built: at least two, so that an address has at least one bit."""
    return max(depth, 2)


class Ram(_RamBase):
    """Memory with one write port and one synchronous read port, both in domain `sync`.

    Read data appears in the cycle after `read.en` and is held while `read.en` is low. Writing and
    reading one address in one cycle reads an undefined word (inferred memories give the old one,
    macros need not): gateware must not depend on it. Contents are undefined until written. A
    memory of one word has a one-bit address that must be 0.

    As a black box it is an instance of `PREFIX_ram_1r1w` with the parameters WIDTH, DEPTH and
    LANE_WIDTH and the ports clk, wr_en[LANES-1:0], wr_addr, wr_data, rd_en, rd_addr, rd_data, all
    on the rising edge of clk, active high; lane i is the bits [i*LANE_WIDTH +: LANE_WIDTH].

    Parameters
    ----------
    width, depth : int
        Bits in a word, and words.
    lane_width : int or None
        Bits in a lane that is written apart from others; divides `width`. None: the whole word.

    Members
    -------
    read : in, {en: 1, addr: ceil_log2(_rows(depth)), data: in width}
        Read port; `data` in the cycle after `en`.
    write : in, {en: width // lane_width, addr: ceil_log2(_rows(depth)), data: width}
        Write port, with one bit of `en` a lane.

    Raises
    ------
    RowforgeError
        For a geometry that is not positive or a lane width that does not divide the width.
    """

    _macro = "ram_1r1w"

    def __init__(self, *, width: int, depth: int, lane_width: int | None = None):
        lane = _check_geometry(width, depth, lane_width)
        addr = ceil_log2(_rows(depth))
        read = wiring.Signature({"en": Out(1), "addr": Out(addr), "data": In(width)})
        write = wiring.Signature({"en": Out(width // lane), "addr": Out(addr), "data": Out(width)})
        ports = {"read": In(read), "write": In(write)}
        super().__init__(ports, width=width, depth=depth, lane_width=lane)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if isinstance(platform, ModulePlatform) and platform.memories == "blackbox":
            m.submodules.macro = self._black_box(
                platform,
                i_wr_en=self.write.en,
                i_wr_addr=self.write.addr,
                i_wr_data=self.write.data,
                i_rd_en=self.read.en,
                i_rd_addr=self.read.addr,
                o_rd_data=self.read.data,
            )
            return m
        m.submodules.mem = mem = Memory(shape=self.width, depth=_rows(self.depth), init=[])
        read = mem.read_port()
        write = mem.write_port(granularity=self.lane_width)
        m.d.comb += [
            read.en.eq(self.read.en),
            read.addr.eq(self.read.addr),
            self.read.data.eq(read.data),
            write.en.eq(self.write.en),
            write.addr.eq(self.write.addr),
            write.data.eq(self.write.data),
        ]
        return m


class SinglePortRam(_RamBase):
    """Memory that reads or writes one word a cycle, in domain `sync`.

    With `en` high and every bit of `we` low it reads: `rdata` is valid in the next cycle and held
    until the next read, through writes too. With `en` high and any bit of `we` high it writes those
    lanes. Contents are undefined until written. A memory of one word has a one-bit address that
    must be 0.

    As a black box it is an instance of `PREFIX_ram_1rw` with the parameters WIDTH, DEPTH and
    LANE_WIDTH and the ports clk, en, we[LANES-1:0], addr, wdata, rdata, all on the rising edge of
    clk, active high; lane i is the bits [i*LANE_WIDTH +: LANE_WIDTH].

    Parameters
    ----------
    width, depth, lane_width
        As for `Ram`.

    Members
    -------
    en : in, 1
        A read or write takes place.
    we : in, width // lane_width
        Lanes to be written; none of them: it is a read.
    addr : in, ceil_log2(_rows(depth))
        Word to be read or written.
    wdata : in, width
        What is written.
    rdata : out, width
        What was read, in the next cycle.

    Raises
    ------
    RowforgeError
        As for `Ram`.
    """

    _macro = "ram_1rw"

    def __init__(self, *, width: int, depth: int, lane_width: int | None = None):
        lane = _check_geometry(width, depth, lane_width)
        ports = {
            "en": In(1),
            "we": In(width // lane),
            "addr": In(ceil_log2(_rows(depth))),
            "wdata": In(width),
            "rdata": Out(width),
        }
        super().__init__(ports, width=width, depth=depth, lane_width=lane)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if isinstance(platform, ModulePlatform) and platform.memories == "blackbox":
            m.submodules.macro = self._black_box(
                platform,
                i_en=self.en,
                i_we=self.we,
                i_addr=self.addr,
                i_wdata=self.wdata,
                o_rdata=self.rdata,
            )
            return m
        m.submodules.mem = mem = Memory(shape=self.width, depth=_rows(self.depth), init=[])
        read = mem.read_port()
        write = mem.write_port(granularity=self.lane_width)
        m.d.comb += [
            read.en.eq(self.en & ~self.we.any()),
            read.addr.eq(self.addr),
            self.rdata.eq(read.data),
            write.en.eq(self.en.replicate(self.lanes) & self.we),
            write.addr.eq(self.addr),
            write.data.eq(self.wdata),
        ]
        return m
