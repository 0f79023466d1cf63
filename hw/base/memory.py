"""The memories: inferred from Verilog, or left as black boxes for the macros of an ASIC process.

On a `ModulePlatform` whose `memories` are "infer" each is an array of registers. With "blackbox"
all are instances of two modules with parameters. With "macros" those of at most `FLIP_FLOP_WORDS`
words are arrays, and each other geometry is a module of its own without parameters, `PREFIX_macro_`
and the geometry's name.
"""

from typing import Any, ClassVar

from amaranth.hdl import ClockSignal, Instance, Module, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arch.errors import RowforgeError
from hw.base.block import Block, ModulePlatform
from hw.base.geometry import FLIP_FLOP_WORDS, MemoryGeometry, PortKind


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

    _ports: ClassVar[PortKind]

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
        return MemoryGeometry(self._ports, self.depth, self.width, self.lane_width).name

    @property
    def geometry(self) -> MemoryGeometry:
        """That of the memory that is really built."""
        return MemoryGeometry(self._ports, _rows(self.depth), self.width, self.lane_width)

    def _is_black_box(self, platform: object) -> bool:
        """Whether a macro takes the place of an inferred memory."""
        if not isinstance(platform, ModulePlatform):
            return False
        deep = self.depth > FLIP_FLOP_WORDS
        return platform.memories == "blackbox" or (platform.memories == "macros" and deep)

    def _black_box(self, platform: Any, **ports: Value) -> Instance:
        """The macro in place of an inferred memory."""
        if platform.memories == "macros":
            return Instance(platform.macro(self.geometry), i_clk=ClockSignal(), **ports)
        return Instance(
            platform.prefixed(f"ram_{self._ports}"),
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

    _ports = "1r1w"

    def __init__(self, *, width: int, depth: int, lane_width: int | None = None):
        lane = _check_geometry(width, depth, lane_width)
        addr = ceil_log2(_rows(depth))
        read = wiring.Signature({"en": Out(1), "addr": Out(addr), "data": In(width)})
        write = wiring.Signature({"en": Out(width // lane), "addr": Out(addr), "data": Out(width)})
        ports = {"read": In(read), "write": In(write)}
        super().__init__(ports, width=width, depth=depth, lane_width=lane)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self._is_black_box(platform):
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

    _ports = "1rw"

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
        if self._is_black_box(platform):
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
