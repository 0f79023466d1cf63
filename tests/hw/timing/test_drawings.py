# amaranth: UnusedElaboratable=no
"""Blocks do what the drawings in their docstrings show."""

import ast
from functools import partial

import pytest

from hw.arch.commands import COMMAND_SET_VERSION, MAGIC, RESULT, ResultBlock
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.routes import Rectangle, RouteKind, route
from hw.arch.sdram import CHIPS, SdramTiming
from hw.base.queue import Queue
from hw.engines.filter_reader import FilterReader
from hw.engines.filters import FilterEngine
from hw.engines.ifmaps import IfmapEngine
from hw.engines.psum_reader import PsumReader
from hw.engines.psum_writer import PsumWriter
from hw.engines.weights import WeightMemory
from hw.glb.arbiter import WriteArbiter
from hw.glb.buffer import GlobalBuffer
from hw.glb.ports import Reader
from hw.link.cobs import CobsEncoder
from hw.link.collector import ResultCollector
from hw.link.packet_fifo import PacketFifo
from hw.link.uart import UartTransmitter
from hw.link.width import WordAssembler
from hw.memory.arbiter import MemoryArbiter
from hw.memory.axi import AxiMaster
from hw.memory.guard import MemoryGuard
from hw.memory.ram import RamAdapter
from hw.memory.sdram.beats import SdramBeats
from hw.memory.sdram.controller import SdramController
from hw.memory.sdram.refresh import RefreshTimer
from hw.memory.sdram.rows import OpenRows
from hw.mesh.distributor import Distributor
from hw.mesh.gatherer import ResultGatherer
from hw.noc.collector import ColumnCollector
from hw.noc.feeder import ColumnFeeder
from hw.noc.multicast import MulticastNetwork
from hw.pe.dense import DensePE
from hw.pe.filter_spad import FilterSpad
from hw.pe.ifmap_spad import IfmapSpad
from hw.pe.nonzero_ring import NonzeroRing
from hw.post.packer import Packer
from hw.post.requantise import Requantiser
from hw.post.right_shifter import RightShifter
from hw.replay.bursts import BurstReader, BurstWriter
from hw.replay.gather import Gatherer, HalfPacker
from hw.replay.message_reader import MessageReader
from hw.replay.router import ResultRouter
from hw.sequencer.loader import PatternLoader
from hw.sequencer.next_command import NextCommand
from hw.sequencer.sequencer import Sequencer
from hw.sequencer.walker import NestWalker
from hw.vector.address import WindowWalker
from hw.vector.tables import AddTables
from tests.hw.test_members import block_classes
from tests.hw.timing import drawings
from tests.test_architecture import parsed

SDRAM = CHIPS["x32_8mb"]
QUICK = SdramTiming(
    precharge=1,
    activate=1,
    recover=2,
    refresh=1,
    mode=1,
    interval=2,
    power_up=1,
    capture=2,
)

MESH = Config.of({"clusters.x": 2})

# Numbers that are drawn as names.
NAMES = {
    Distributor: {
        "M": MAGIC,
        "V": COMMAND_SET_VERSION,
        "H": config_hash(MESH),
        "R": route(RouteKind.WORDS, Rectangle.single(0, 1), 2),
        "S": route(RouteKind.WORDS, Rectangle((0, 1), (0, 2)), 1),
    },
    ResultGatherer: {
        name: RESULT.pack({"block": ResultBlock.DATA, "length": length})[0]
        for name, length in (("D", 1), ("E", 2))
    },
}

# How the block of each drawing is made, and its inputs that are not drawn.
DRAWN = [
    (partial(Queue, 8, depth=2), {}),
    (partial(IfmapSpad, Config.of({"noc.ifmap": 2, "pe.ifmap_spad": 4})), {}),
    (partial(NonzeroRing, Config.of({"noc.ifmap": 1, "pe.ifmap_spad": 4})), {}),
    (partial(FilterSpad, Config.of({"noc.filter": 1, "pe.filter_spad": 4})), {}),
    (
        partial(DensePE, Config.of({"noc.ifmap": 1, "noc.filter": 1, "pe.filter_spad": 4})),
        {
            "config.active": 1,
            "config.head": 1,
            "config.zero": 1,
            "config.tail": 1,
            "config.step_end": -1,
            "config.slot_end": -1,
            "config.last_tap": 0,
            "config.last_free": 0,
            "config.windows": 2,
            "config.single": 0,
        },
    ),
    (
        partial(MulticastNetwork, 8, row_tag=1, col_tag=2, rows=2, cols=2, entry=1),
        {
            "rows.0.0.enable": 1,
            "rows.0.0.id": 0,
            "rows.0.1.enable": 1,
            "rows.0.1.id": 1,
            "ids.0.0": 0,
            "ids.0.1": 1,
            "enables.0": 3,
        },
    ),
    (partial(ColumnFeeder, Config.of({"noc.psum_in": 2, "array.rows": 2})), {}),
    (
        partial(ColumnCollector, Config.of({"noc.psum_out": 2, "array.rows": 2})),
        {
            "configs.1.active": 1,
            "configs.1.tails": 3,
            "configs.1.slot_end": 0,
            "configs.1.windows": 1,
            "configs.1.single": 1,
            "inputs.0.payload.tail": 1,
            "inputs.1.payload.tail": 1,
        },
    ),
    (partial(Reader, 4, width=32), {}),
    (partial(WriteArbiter, 8), {}),
    (
        partial(
            GlobalBuffer,
            Config.of({"buffer.banks": 2, "buffer.depth": 32, "noc.psum_in": 1, "noc.psum_out": 1}),
        ),
        {"act_write.payload.mask": 255},
    ),
    (
        partial(FilterEngine, Config.of({"noc.filter": 4})),
        {
            "tables.1.filters": 1,
            "tables.1.groups": 2,
            "tables.1.constants.filter_beats": 1,
            "tables.1.fresh": 1,
        },
    ),
    (
        partial(IfmapEngine, Config.of({"noc.ifmap": 1})),
        {
            "tables.1.slots": 1,
            "tables.1.constants.pixel_outer": 1,
            "tables.1.constants.pixel_inner": 2,
            "tables.1.constants.items": 1,
            "tables.1.constants.pixel_beats": 1,
            "tables.1.constants.channels": 1,
            "tables.1.constants.height": 2,
            "tables.1.constants.width": 9,
            "slot.outer": 1,
            "slot.inner": 2,
            "slot.inner_step": 1,
            "slot.inner_words": 16,
            "tables.1.bases.ifmap": 4,
        },
    ),
    (
        partial(PsumReader, Config.of({"noc.psum_in": 2, "noc.psum_out": 2, "array.cols": 2})),
        {
            "tables.1.segments": 1,
            "tables.1.columns": 2,
            "tables.1.constants.windows": 1,
            "tables.1.constants.psums": 2,
            "tables.1.constants.psum_beats": 1,
            "tables.1.constants.steps": 2,
            "tables.1.bases.psum": 4,
            "segment.head": 1,
        },
    ),
    (
        partial(PsumWriter, Config.of({"noc.psum_in": 2, "noc.psum_out": 2, "array.cols": 2})),
        {
            "tables.1.segments": 1,
            "tables.1.columns": 1,
            "tables.1.constants.windows": 2,
            "tables.1.constants.psums": 2,
            "tables.1.constants.psum_beats": 1,
            "tables.1.bases.psum": 4,
            "post_idle": 1,
            "tables.1.closing": 1,
        },
    ),
    (partial(WeightMemory, depth=4), {}),
    (partial(FilterReader, Config.of({"noc.filter": 4, "buffer.filters": True})), {}),
    (partial(PatternLoader, patterns=2, words=2), {}),
    (partial(NextCommand, words=3), {}),
    (partial(NestWalker), {}),
    (
        partial(Packer, Config.of({"post.units": 8, "noc.psum_in": 8, "noc.psum_out": 8})),
        {"place.mask": 255, "place.addr": 4, "plane": 16, "raw_mode": 1},
    ),
    (partial(RightShifter, width=4), {}),
    (
        partial(Requantiser),
        {
            "cfg.0.mode": 2,
            "cfg.0.low": -128,
            "cfg.0.high": 127,
            "params.multiplier": 1073741824,
            "params.shift": 1,
            "params.bias": 1,
        },
    ),
    (partial(RamAdapter, words=16), {}),
    (partial(MemoryArbiter, clients=2, address_bits=4), {}),
    (partial(AxiMaster, address_bits=12), {}),
    (partial(MemoryGuard, address_bits=4), {}),
    (partial(BurstReader, address_bits=4, depth=2), {}),
    (partial(BurstWriter, address_bits=4, depth=2), {}),
    (partial(Gatherer, words=16, halves=False), {}),
    (partial(HalfPacker), {}),
    (partial(ResultRouter, address_bits=4), {}),
    (partial(MessageReader, words=16), {}),
    (partial(RefreshTimer, interval=3, most=4), {}),
    (partial(OpenRows, SDRAM), {}),
    (partial(SdramBeats, SDRAM, QUICK), {}),
    (partial(SdramController, SDRAM, QUICK), {}),
    (partial(WordAssembler, width=32), {}),
    (partial(PacketFifo, words=1), {}),
    (partial(CobsEncoder), {}),
    (partial(AddTables, units=1), {}),
    (
        partial(WindowWalker, map_bits=8),
        {
            "descriptor.op": 2,
            "descriptor.blocks": 1,
            "descriptor.rows": 1,
            "descriptor.columns": 2,
            "descriptor.window_rows": 1,
            "descriptor.window_columns": 1,
            "descriptor.stride_y": 1,
            "descriptor.stride_x": 1,
            "descriptor.height": 1,
            "descriptor.width": 2,
            "descriptor.left": 4,
        },
    ),
    (partial(UartTransmitter, bit_time=16), {}),
    (partial(ResultCollector, words=1), {"most": 1, "wait": 1}),
    (partial(Sequencer, Config.of({"array.rows": 1, "array.cols": 1})), {"begun": 1, "settled": 1}),
    (partial(Distributor, MESH), {}),
    (partial(ResultGatherer, clusters=2), {}),
]


def cls(case) -> type:
    return case[0].func


@pytest.mark.parametrize("case", DRAWN, ids=lambda case: cls(case).__name__)
def test_a_block_does_what_is_drawn(case):
    make, constants = case
    (drawing,) = drawings.drawings(cls(case), NAMES.get(cls(case)))
    assert drawings.differences(make(), drawing, constants) == []


def test_every_drawing_is_looked_at():
    """A section that is not among those above would not be held by anything."""
    there = {
        node.name
        for _, _, tree in parsed("hw")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and drawings.SECTION in (ast.get_docstring(node) or "")
    }
    assert there == {cls(case).__name__ for case in DRAWN} <= block_classes()


@pytest.mark.parametrize("place", range(len(DRAWN)))
def test_a_drawing_shows_something(place):
    """Some answer is drawn, and another answer in any of these cells is found."""
    make, constants = DRAWN[place]
    (drawing,) = drawings.drawings(cls(DRAWN[place]), NAMES.get(cls(DRAWN[place])))
    answers = drawings.answered(make(), drawing, constants)
    cells = [(name, i) for name in answers for i in range(drawing.cycles)]
    shown = [(name, i) for name, i in cells if drawing.rows[name][i] != drawings.ANYTHING]
    assert len(shown) >= 2
    for name, i in shown:
        drawing.rows[name][i] = str(answers[name][i] + 1)
    assert len(drawings.differences(make(), drawing, constants)) == len(shown)
