"""The accelerator: command stream in, result stream out."""

from amaranth.hdl import Module, ResetInserter, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.config import LINK_WORD_BITS, Config
from hw.base.block import Block, ResetReplacer
from hw.control.decoder import Decoder
from hw.link.width import WordAssembler, WordSplitter
from hw.memory.ram import RamAdapter
from hw.microcontroller.control import Processor, require_processor
from hw.replay.replayer import Replayer
from hw.top.engine import Engine
from hw.top.mesh import Mesh


class AcceleratorCore(Block):
    """Decoder and engine, or a processor; an error in the stream resets the engine alone.

    Several clusters have a decoder and an engine each.
    Where there is a memory, a replayer stands between the streams and the decoder.

    Members
    -------
    cmd : in, stream of config.link.width
        Command stream, 64 / `link.width` beats a word.
    result : out, stream of config.link.width
        Result stream likewise.
    """

    # The driver's session has the short name; in Verilog there is no other `accelerator`.
    module_name = "accelerator"

    def __init__(self, config: Config):
        require_processor(config)
        beat = stream.Signature(config.link.width)
        super().__init__({"cmd": In(beat), "result": Out(beat)})
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.config.control.microcontroller:
            m.submodules.processor = processor = Processor(self.config)
            connect(m, flipped(self.cmd), processor.command)
            connect(m, processor.result, flipped(self.result))
            return m
        command, result = self._replayer(m) if self.config.memory.present else self._core(m)
        width = self.config.link.width
        if width == LINK_WORD_BITS:
            connect(m, flipped(self.cmd), command)
            connect(m, result, flipped(self.result))
            return m
        m.submodules.assembler = assembler = WordAssembler(width=width)
        m.submodules.splitter = splitter = WordSplitter(width=width)
        connect(m, flipped(self.cmd), assembler.beats)
        connect(m, assembler.words, command)
        connect(m, result, splitter.words)
        connect(m, splitter.beats, flipped(self.result))
        return m

    def _replayer(self, m: Module) -> tuple:
        """The word streams of the replayer, which stands before the core, with its memory."""
        m.submodules.replayer = replayer = Replayer(self.config)
        m.submodules.memory = memory = RamAdapter(
            words=self.config.memory.words,
            latency=self.config.memory.latency,
            pace=self.config.memory.pace,
        )
        connect(m, replayer.port, memory.port)
        command, result = self._core(m, replayer.restart)
        connect(m, replayer.command, command)
        connect(m, result, replayer.results)
        return replayer.link, replayer.answer

    def _core(self, m: Module, restart: Value | None = None) -> tuple:
        """The word streams of the decoder, with the engine behind it; of all clusters' decoders."""
        if self.config.clusters.several:
            m.submodules.mesh = mesh = Mesh(self.config)
            return mesh.command, mesh.result
        decoder = Decoder(self.config)
        m.submodules.decoder = decoder if restart is None else ResetInserter(restart)(decoder)
        inner = Module()
        inner.submodules.engine = engine = Engine(self.config)
        m.submodules.core = ResetReplacer(decoder.flush)(inner)
        connect(m, decoder.engine, engine.control)
        return decoder.command, decoder.result
