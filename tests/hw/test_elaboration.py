# amaranth: UnusedElaboratable=no
"""Blocks, their keys and names, and the memories."""

import itertools

import pytest
from amaranth.hdl import Fragment, Instance, Module
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from hw.arch.errors import RowforgeError
from hw.base.block import Block, ModulePlatform, inlined, signature_ports
from hw.base.memory import Ram, SinglePortRam


class PEArray2D(Block):
    """A block of every kind of argument."""

    def __init__(self, width, layout=None, *, taps=(1, 2), extra=None):
        super().__init__(
            {"x": In(stream.Signature(width)), "config": In(2), "none": In(0), "y": Out(3).array(2)}
        )


class Recorder(ModulePlatform):
    """Names modules after their order and remembers them."""

    def __init__(self):
        self.blocks = []

    def register(self, block):
        self.blocks.append(block)
        return f"module_{len(self.blocks)}"

    def prefixed(self, name):
        return f"mine_{name}"

    def add_file(self, name, text):
        raise AssertionError("these designs bring none")


def run(design, testbench):
    simulator = Simulator(design)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


def test_names_are_snake_case():
    assert PEArray2D(3).module_name == "pe_array2_d"
    assert Ram(width=16, depth=12).module_name == "ram_1r1w_12x16"
    assert Ram(width=16, depth=12, lane_width=8).module_name == "ram_1r1w_12x16_l8"
    assert SinglePortRam(width=8, depth=2).module_name == "ram_1rw_2x8"


def test_key_is_class_and_arguments():
    layout = data.StructLayout({"a": 3})
    same = [
        PEArray2D(8, layout),
        PEArray2D(width=8, layout=data.StructLayout({"a": 3}), extra=None),
        PEArray2D(8, layout, taps=[1, 2]),
    ]
    assert len({block.module_key for block in same}) == 1
    others = [
        PEArray2D(9, layout),
        PEArray2D(8),
        PEArray2D(8, layout, extra={"a": [1]}),
        PEArray2D(8, layout, extra={"a": {1}}),
        PEArray2D(8, data.StructLayout({"a": 4})),
    ]
    assert len({block.module_key for block in [same[0], *others]}) == 6
    assert Ram(width=8, depth=4).module_key != SinglePortRam(width=8, depth=4).module_key


def test_key_of_an_unhashable_argument_is_refused():
    with pytest.raises(TypeError, match="must be hashable"):
        _ = PEArray2D(8, extra=bytearray(2)).module_key


def test_port_names_are_signature_paths():
    names = [name for name, _, _ in signature_ports(PEArray2D(3))]
    assert names == ["x__payload", "x__valid", "x__ready", "config_", "y__0", "y__1"]


def test_a_block_is_a_submodule_without_a_module_platform():
    m = Module()
    m.submodules.memory = Ram(width=8, depth=4)
    run(m, idle)


async def idle(ctx):
    await ctx.tick()


def test_a_block_is_an_instance_on_a_module_platform():
    platform = Recorder()
    block = Ram(width=8, depth=4)
    instance = block.elaborate(platform)
    assert platform.blocks == [block]
    assert instance.type == "module_1"
    assert list(instance.ports) == [
        *("clk", "rst", "read__en", "read__addr", "read__data"),
        *("write__en", "write__addr", "write__data"),
    ]
    assert instance.ports["read__data"][1] == "o"
    assert instance.ports["read__data"][0] is block.read.data


def test_a_block_has_its_contents_in_its_own_module_and_where_it_is_inlined():
    platform = Recorder()
    block = Ram(width=8, depth=4)
    assert type(Fragment.get(inlined(block), platform)) is Fragment
    assert platform.converting is None
    platform.converting = block
    assert type(Fragment.get(block, platform)) is Fragment
    assert type(Fragment.get(Ram(width=8, depth=4), platform)) is Instance
    assert type(Fragment.get(inlined(Ram(width=8, depth=4)), None)) is Fragment


@pytest.mark.parametrize(("width", "depth", "lane"), [(8, 5, None), (12, 4, 4), (3, 1, None)])
def test_ram_writes_lanes_and_holds_what_it_read(width, depth, lane):
    ram = Ram(width=width, depth=depth, lane_width=lane)
    lane_mask = (1 << ram.lane_width) - 1
    expected = [0] * depth

    async def write(ctx, addr, value, lanes):
        ctx.set(ram.write.addr, addr)
        ctx.set(ram.write.data, value)
        ctx.set(ram.write.en, lanes)
        await ctx.tick()
        ctx.set(ram.write.en, 0)
        for i in range(ram.lanes):
            if lanes >> i & 1:
                mask = lane_mask << i * ram.lane_width
                expected[addr] = expected[addr] & ~mask | value & mask

    async def testbench(ctx):
        full = (1 << ram.lanes) - 1
        for addr in range(depth):
            await write(ctx, addr, addr * 37 % (1 << width), full)
        for addr, lanes in itertools.product(range(depth), range(full + 1)):
            await write(ctx, addr, (addr + 5 * lanes) % (1 << width), lanes)
            ctx.set(ram.read.addr, addr)
            ctx.set(ram.read.en, 1)
            await ctx.tick()
            assert ctx.get(ram.read.data) == expected[addr]
            ctx.set(ram.read.en, 0)
            ctx.set(ram.read.addr, 0)
            await ctx.tick()
            assert ctx.get(ram.read.data) == expected[addr]

    run(ram, testbench)


def test_single_port_ram_reads_or_writes():
    ram = SinglePortRam(width=8, depth=3, lane_width=4)

    async def access(ctx, addr, we=0, wdata=0):
        ctx.set(ram.en, 1)
        ctx.set(ram.addr, addr)
        ctx.set(ram.we, we)
        ctx.set(ram.wdata, wdata)
        await ctx.tick()
        ctx.set(ram.en, 0)
        return ctx.get(ram.rdata)

    async def testbench(ctx):
        for addr in range(3):
            await access(ctx, addr, 0b11, 0x10 * addr + 1)
        assert await access(ctx, 2) == 0x21
        assert await access(ctx, 1, 0b10, 0xFF) == 0x21, "a write must not change what was read"
        ctx.set(ram.we, 0b11)
        await ctx.tick()
        assert ctx.get(ram.rdata) == 0x21, "nothing happens without en"
        assert await access(ctx, 1) == 0xF1

    run(ram, testbench)


@pytest.mark.parametrize("ram", [Ram, SinglePortRam])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0, "depth": 4}, "memory width must be a positive number of bits, not 0"),
        ({"width": 8, "depth": 0}, "memory depth must be a positive number of words, not 0"),
        ({"width": 8, "depth": 2.5}, "memory depth must be a positive number of words, not 2.5"),
        (
            {"width": 8, "depth": 4, "lane_width": 3},
            "lane width must be a divisor of the width 8, not 3",
        ),
    ],
)
def test_impossible_memories_are_refused(ram, arguments, message):
    with pytest.raises(RowforgeError, match=message):
        ram(**arguments)
