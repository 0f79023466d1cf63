"""The accelerator: command stream in, result stream out."""

from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.config import LINK_WORD_BITS, Config
from hw.base.block import Block, ResetReplacer
from hw.control.decoder import Decoder
from hw.link.width import WordAssembler, WordSplitter
from hw.microcontroller.control import Processor, require_processor
from hw.top.engine import Engine


class AcceleratorCore(Block):
    """Decoder and engine, or a processor; an error in the stream resets the engine alone.

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
        decoder = self._decoder(m)
        width = self.config.link.width
        if width == LINK_WORD_BITS:
            connect(m, flipped(self.cmd), decoder.command)
            connect(m, decoder.result, flipped(self.result))
            return m
        m.submodules.assembler = assembler = WordAssembler(width=width)
        m.submodules.splitter = splitter = WordSplitter(width=width)
        connect(m, flipped(self.cmd), assembler.beats)
        connect(m, assembler.words, decoder.command)
        connect(m, decoder.result, splitter.words)
        connect(m, splitter.beats, flipped(self.result))
        return m

    def _decoder(self, m: Module) -> Decoder:
        """The decoder with the engine behind it."""
        m.submodules.decoder = decoder = Decoder(self.config)
        inner = Module()
        inner.submodules.engine = engine = Engine(self.config)
        m.submodules.core = ResetReplacer(decoder.flush)(inner)
        connect(m, decoder.engine, engine.control)
        return decoder
