# amaranth: UnusedElaboratable=no
"""Docstrings name the ports that exist: each with direction, shape and meaning."""

import ast

import pytest
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, Signature

from boards.catalogue import BOARDS
from boards.common.top import BoardTop
from hw.arch.sdram import CHIPS, SdramTiming
from hw.base.block import Block, ModulePlatform
from hw.memory.arbiter import MemoryArbiter
from hw.memory.axi import AxiMaster
from hw.memory.ram import RamAdapter
from hw.memory.sdram.controller import SdramController
from hw.top.accelerator import AcceleratorCore
from hw.top.axi import AxiAccelerator
from hw.top.serial import FramedAccelerator, SerialAccelerator, SerialLoopback
from rowforge.configs import preset
from tests.hw.members import SECTION, documented, problems
from tests.test_architecture import PACKAGES, parsed


class Elaborating(ModulePlatform):
    """Elaborates every distinct block once."""

    def __init__(self):
        self._known = set()

    def register(self, block):
        if block.module_key not in self._known:
            self._known.add(block.module_key)
            self.contents(block)
        return type(block).__name__

    def prefixed(self, name):
        return name

    def add_file(self, name, text):
        pass


def designs():
    """Tops that contain a block of every class between them."""
    serial = {"clock": 12e6, "baud": 1e6}
    tiny = preset("tiny")
    yield AcceleratorCore(tiny)
    yield AcceleratorCore(preset("eyeriss_v1"))
    yield AcceleratorCore(preset("icebreaker"))
    yield AcceleratorCore(preset("tiny_mesh"))
    yield AcceleratorCore(tiny.with_values({"link.coding": "mask", "pe.kind": "skipping"}))
    memory = {"memory.kind": "ram", "memory.words": 1024, "buffer.width": 32}
    yield AcceleratorCore(tiny.with_values({**memory, "noc.ifmap": 4, "post.units": 1}))
    sdram = {"memory.kind": "sdram", "memory.words": 1 << 20}
    axi = {"memory.kind": "axi", "memory.words": 1 << 20}
    wide = {"link.width": 16, "buffer.weight_memory": 64}
    yield AxiAccelerator(tiny.with_values(wide | axi))
    yield SerialAccelerator(tiny.with_values(sdram), **serial)
    # Of these only the ports are looked at.
    for memory in ({}, sdram, axi):
        AxiAccelerator(tiny.with_values(memory))
        SerialAccelerator(tiny.with_values(memory), **serial)
        FramedAccelerator(tiny.with_values(memory))
    yield SerialLoopback(**serial)
    yield MemoryArbiter(clients=2, address_bits=8)
    yield RamAdapter(words=64, latency=2)
    yield AxiMaster(address_bits=12)
    chip = CHIPS["x32_8mb"]
    yield SdramController(chip, SdramTiming.of(chip, clock=60e6))


@pytest.fixture(scope="module")
def blocks():
    """One block of every class and set of arguments in `designs`, recorded as they are made."""
    found, make = {}, Block.__new__

    def recorded(cls, *args, src_loc_at=0, **kwargs):
        made.append(block := make(cls, *args, src_loc_at=src_loc_at + 1, **kwargs))
        return block

    made: list[Block] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Block, "__new__", recorded)
        for design in designs():
            Elaborating().register(design)
    for block in made:
        found.setdefault(block.module_key, block)
    return list(found.values())


def block_classes():
    """Names of the classes in `hw` that derive from `Block`, over others too."""
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for _, _, tree in parsed("hw")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {"Block"}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return found


@pytest.mark.slow
def test_every_block_is_looked_at(blocks):
    seen = {cls.__name__ for block in blocks for cls in type(block).__mro__}
    assert block_classes() - seen == set()
    assert len(block_classes()) > 60


def test_components_are_blocks():
    """Others would escape this file: a board's top is no block, and has no ports of its own."""
    others = {
        node.name
        for _, _, tree in parsed(*PACKAGES)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).endswith("Component") for base in node.bases)
    }
    assert others == {"Block", "BoardTop"}
    assert not BoardTop(BOARDS["icebreaker"]).signature.members


@pytest.mark.slow
def test_docstrings_name_the_ports_that_exist(blocks):
    wrong = {type(block).__name__: found for block in blocks if (found := problems(block))}
    assert wrong == {}


def test_no_block_hides_its_ports_behind_another_form():
    """A section that the reader above takes for nothing would pass: each has members."""
    for _, module, tree in parsed("hw"):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and SECTION in (doc := ast.get_docstring(node) or ""):
                assert documented(doc), f"{module}.{node.name}"


# ---- the comparison itself ----------------------------------------------------------------------


class Sample(Block):
    """Ports of every form.

    Members
    -------
    count, other : in, width + 1
        Two.
    values : out, array of 2 signed width
        Layout.
    beats : in, 3 times stream of {payload: width, tag: 2}
        Streams.
    read : out, {en: 1, data: in width}
        An interface whose header goes on: nothing.
    wide : in, unsigned(8), if width > 4
        Not everywhere.
    """

    def __init__(self, width):
        beat = data.StructLayout({"payload": width, "tag": 2})
        ports = {
            "count": In(width + 1),
            "other": In(width + 1),
            "values": Out(data.ArrayLayout(signed(width), 2)),
            "beats": In(stream.Signature(beat)).array(3),
            "read": Out(Signature({"en": Out(1), "data": In(width)})),
        }
        if width > 4:
            ports["wide"] = In(unsigned(8))
        super().__init__(ports)


@pytest.mark.parametrize("width", [3, 5])
def test_a_right_docstring_has_no_problem(width):
    assert problems(Sample(width)) == []


@pytest.mark.parametrize(
    "right,wrong,said",
    [
        ("count, other :", "count :", "other is not documented"),
        ("count, other :", "count, other, more :", "more is no port"),
        ("count, other : in", "count, other : out", "count: the direction"),
        ("width + 1", "width", "count: the shape"),
        ("signed width", "width", "values: the shape"),
        ("3 times", "2 times", "beats: there are (3,)"),
        ("tag: 2", "tag: 3", "beats: the interface"),
        ("data: in width", "data: width", "read: the interface"),
        ("width > 4", "width > 5", "wide is a port nevertheless"),
        ("        Two.\n", "", "count: has no meaning"),
        ("count, other : in, width + 1", "count, other : in", "no header of a member"),
    ],
)
def test_a_wrong_docstring_is_found(monkeypatch, right, wrong, said):
    assert right in Sample.__doc__
    monkeypatch.setattr(Sample, "__doc__", Sample.__doc__.replace(right, wrong))
    assert said in " ".join(problems(Sample(5)))
