"""PicoRV32: a 32-bit RISC-V processor, from its package's Verilog."""

from amaranth.hdl import ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib.wiring import In, Out, Signature

from hw.arch.errors import RowforgeError
from hw.base.block import Block, ModulePlatform

BUS = Signature(
    {
        "read": Out(1),
        "write": Out(1),
        "addr": Out(32),
        "wdata": Out(32),
        "wstrb": Out(4),
        "rdata": In(32),
    }
)
"""`read` or `write` for a cycle, never two of them in a row; what was read is there in the next
cycle. `wstrb`: the bytes to write.
"""

_MODULE = "picorv32"
_SWITCHES = {
    "ENABLE_COUNTERS": 0,
    "ENABLE_COUNTERS64": 0,
    "CATCH_MISALIGN": 0,
    "CATCH_ILLINSN": 0,
    "TWO_STAGE_SHIFT": 1,
}
_IGNORED = {
    "trap": 1,
    "mem_valid": 1,
    "mem_instr": 1,
    "mem_addr": 32,
    "mem_wdata": 32,
    "mem_wstrb": 4,
    "pcpi_valid": 1,
    "pcpi_insn": 32,
    "pcpi_rs1": 32,
    "pcpi_rs2": 32,
    "eoi": 32,
    "trace_valid": 1,
    "trace_data": 36,
}
_UNUSED = {"pcpi_wr": 1, "pcpi_rd": 32, "pcpi_wait": 1, "pcpi_ready": 1, "irq": 32}


class Core(Block):
    """RV32I without interrupts; starts at address 0.

    Members
    -------
    bus : out, BUS
        For instructions and data.
    """

    def __init__(self) -> None:
        super().__init__({"bus": Out(BUS)})

    def elaborate(self, platform: object) -> Module:
        if not isinstance(platform, ModulePlatform):
            raise RowforgeError("a processor is simulated as Verilog only")
        platform.add_file(f"{_MODULE}.v", source())
        m = Module()
        ready = Signal()
        m.d.sync += ready.eq(self.bus.read | self.bus.write)
        m.submodules.picorv32 = Instance(
            platform.prefixed(_MODULE),
            *(("p", name, Const(value, 1)) for name, value in _SWITCHES.items()),
            ("i", "clk", ClockSignal()),
            ("i", "resetn", ~ResetSignal()),
            *(("i", name, Const(0, width)) for name, width in _UNUSED.items()),
            *(("o", name, Signal(width, name=name)) for name, width in _IGNORED.items()),
            ("o", "mem_la_read", self.bus.read),
            ("o", "mem_la_write", self.bus.write),
            ("o", "mem_la_addr", self.bus.addr),
            ("o", "mem_la_wdata", self.bus.wdata),
            ("o", "mem_la_wstrb", self.bus.wstrb),
            ("i", "mem_ready", ready),
            ("i", "mem_rdata", self.bus.rdata),
        )
        return m


def source() -> str:
    """The processor's Verilog; `RowforgeError` where its package is missing."""
    try:
        from pythondata_cpu_picorv32 import data_file
    except ImportError:
        raise RowforgeError(
            "the processor's Verilog is not installed; type pip install 'rowforge[processor]'"
        ) from None
    with open(data_file("picorv32.v"), encoding="utf-8") as file:
        return file.read()
