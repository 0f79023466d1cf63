"""The blocks that the engine consists of."""

from amaranth.hdl import Module, Signal

from hw.arch.config import Config
from hw.array.array import PEArray
from hw.control.box_loader import BoxLoader
from hw.control.box_storer import BoxStorer
from hw.control.codes.payloads import Payloads
from hw.engines.filter_reader import FilterReader
from hw.engines.filters import FilterEngine
from hw.engines.ifmaps import IfmapEngine
from hw.engines.psum_reader import PsumReader
from hw.engines.psum_writer import PsumWriter, accumulator_width
from hw.glb.buffer import GlobalBuffer
from hw.post.processor import PostProcessor
from hw.sequencer.sequencer import Sequencer
from hw.vector.vector import VectorEngine


class EngineParts:
    """The blocks of the engine, instantiated; `filter_reader` is None without `buffer.filters`."""

    def __init__(self, m: Module, config: Config):
        width = accumulator_width(config)
        m.submodules.sequencer = self.sequencer = Sequencer(config)
        m.submodules.filter_engine = self.filters = FilterEngine(config)
        self.filter_reader = FilterReader(config) if config.buffer.filters else None
        if self.filter_reader is not None:
            m.submodules.filter_reader = self.filter_reader
        m.submodules.ifmap_engine = self.ifmaps = IfmapEngine(config)
        m.submodules.psum_reader = self.reader = PsumReader(config)
        m.submodules.psum_writer = self.writer = PsumWriter(config)
        m.submodules.array = self.array = PEArray(config)
        m.submodules.buffer = self.buffer = GlobalBuffer(config)
        m.submodules.payloads = self.payloads = Payloads(config)
        m.submodules.box_loader = self.loader = BoxLoader(config)
        m.submodules.box_storer = self.storer = BoxStorer(config)
        m.submodules.post_processor = self.post = PostProcessor(config, acc_width=width)
        m.submodules.vector = self.vector = VectorEngine(config, acc_width=width)

    def issue_event(self, m: Module):
        """A pass was issued in the cycle before."""
        before = Signal(2)
        m.d.sync += before.eq(self.sequencer.issued)
        return before != self.sequencer.issued
