"""The accelerator: command stream in, result stream out."""

from amaranth.hdl import Module, ResetInserter, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.config import LINK_WORD_BITS, Config
from hw.base.block import Block
from hw.link.width import WordAssembler, WordSplitter
from hw.microcontroller.control import Processor, require_processor
from hw.replay.replayer import Replayer
from hw.top.core import place_core
from hw.top.memory import core_members, place_memory
from hw.top.mesh import Mesh


class AcceleratorCore(Block):
    """Decoder and engine, or a processor; an error in the stream resets the engine alone.

    Several clusters have a decoder and an engine each.
    Where there is a memory, a replayer stands between the streams and the decoder. A memory outside
    of the core has ports, and goes on while `restart` resets the rest.

    Members
    -------
    cmd : in, stream of config.link.width
        Command stream, 64 / `link.width` beats a word.
    result : out, stream of config.link.width
        Result stream likewise.
    sdram : out, core_members(config.memory)["sdram"].signature, if config.memory.kind == "sdram"
        The memory's chip.
    m_axi : out, core_members(config.memory)["m_axi"].signature, if config.memory.kind == "axi"
        The bus of the memory.
    restart : in, 1, if config.memory.outside
        Reset of all but the memory.
    """

    # The driver's session has the short name; in Verilog there is no other `accelerator`.
    module_name = "accelerator"

    def __init__(self, config: Config):
        require_processor(config)
        beat = stream.Signature(config.link.width)
        super().__init__({"cmd": In(beat), "result": Out(beat), **core_members(config.memory)})
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.config.control.microcontroller:
            m.submodules.processor = processor = Processor(self.config)
            connect(m, flipped(self.cmd), processor.command)
            connect(m, processor.result, flipped(self.result))
            return m
        if not self.config.memory.outside:
            self._streams(m, m)
            return m
        inner = Module()
        self._streams(m, inner)
        m.submodules.inner = ResetInserter(self.restart)(inner)
        return m

    def _streams(self, m: Module, inner: Module) -> None:
        """All parts in `inner`, but a memory with ports in `m`."""
        present = self.config.memory.present
        command, result = self._replayer(m, inner) if present else self._core(inner)
        width = self.config.link.width
        if width == LINK_WORD_BITS:
            connect(inner, flipped(self.cmd), command)
            connect(inner, result, flipped(self.result))
            return
        inner.submodules.assembler = assembler = WordAssembler(width=width)
        inner.submodules.splitter = splitter = WordSplitter(width=width)
        connect(inner, flipped(self.cmd), assembler.beats)
        connect(inner, assembler.words, command)
        connect(inner, result, splitter.words)
        connect(inner, splitter.beats, flipped(self.result))

    def _replayer(self, m: Module, inner: Module) -> tuple:
        """The word streams of the replayer, which stands before the core, with its memory."""
        inner.submodules.replayer = replayer = Replayer(self.config)
        place_memory(m, self.config.memory, self, replayer)
        command, result = self._core(inner, replayer.restart)
        connect(inner, replayer.command, command)
        connect(inner, result, replayer.results)
        return replayer.link, replayer.answer

    def _core(self, m: Module, restart: Value | None = None) -> tuple:
        """The word streams of the decoder, with the engine behind it; of all clusters' decoders."""
        if self.config.clusters.several:
            m.submodules.mesh = mesh = Mesh(self.config)
            return mesh.command, mesh.result
        decoder = place_core(m, self.config, restart)
        return decoder.command, decoder.result
