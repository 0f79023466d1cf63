"""What stands behind a byte line: an accelerator, or for bring-up the line's own end."""

from abc import abstractmethod

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.config import LINK_WORD_BITS, NO_MEMORY, Config, MemoryConfig
from hw.arch.config.file import config_hash
from hw.arch.frames import REPLY_WORDS, REQUEST_WORDS
from hw.base.block import Block
from hw.base.deep_queue import DeepQueue
from hw.link.framed import FramedLink
from hw.link.uart import UartReceiver, UartTransmitter, bit_time
from hw.link.width import WordAssembler, WordSplitter
from hw.microcontroller.control import require_processor
from hw.top.accelerator import AcceleratorCore
from hw.top.memory import outside_members, pass_on

_BYTE = stream.Signature(8)


class FramedAccelerator(Block):
    """An accelerator that speaks the framed protocol over two streams of bytes.

    Members
    -------
    rx : in, stream of 8
        Bytes from the line.
    tx : out, stream of 8
        Bytes to the line.
    sdram : out, outside_members(config.memory)["sdram"].signature, if config.memory.kind == "sdram"
        The chip of a memory.
    m_axi : out, outside_members(config.memory)["m_axi"].signature, if config.memory.kind == "axi"
        The bus of a memory.
    """

    def __init__(
        self,
        config: Config,
        *,
        request_words: int = REQUEST_WORDS,
        reply_words: int = REPLY_WORDS,
    ):
        require_processor(config)
        memory = outside_members(config.memory)
        super().__init__({"rx": In(_BYTE), "tx": Out(_BYTE), **memory})
        self.config = config
        self.request_words = request_words
        self.reply_words = reply_words

    def elaborate(self, platform: object) -> Module:
        m = Module()
        link = FramedLink(
            config_hash=config_hash(self.config),
            request_words=self.request_words,
            reply_words=self.reply_words,
        )
        m.submodules.link = link
        connect(m, flipped(self.rx), link.rx)
        connect(m, link.tx, flipped(self.tx))
        inner = Module()
        device = AcceleratorCore(self.config)
        memory = self.config.memory
        if memory.outside:
            m.submodules.accelerator = device
            m.d.comb += device.restart.eq(link.restart)
            pass_on(m, memory, device, self)
        else:
            inner.submodules.accelerator = device
        command, results = self._words(inner, device)
        m.submodules.core = ResetInserter(link.restart)(inner)
        connect(m, link.command, command)
        connect(m, results, link.results)
        return m

    def _words(self, m: Module, device: AcceleratorCore) -> tuple:
        """The accelerator's streams as streams of bytes."""
        width = self.config.link.width
        if width == 8:
            return device.cmd, device.result
        m.submodules.gather = gather = WordAssembler(width=8)
        m.submodules.scatter = scatter = WordSplitter(width=8)
        if width == LINK_WORD_BITS:
            connect(m, gather.words, device.cmd)
            connect(m, device.result, scatter.words)
            return gather.beats, scatter.beats
        m.submodules.narrow = narrow = WordSplitter(width=width)
        m.submodules.widen = widen = WordAssembler(width=width)
        connect(m, gather.words, narrow.words)
        connect(m, narrow.beats, device.cmd)
        connect(m, device.result, widen.beats)
        connect(m, widen.words, scatter.words)
        return gather.beats, scatter.beats


class FramedLoopback(Block):
    """A device whose results are its commands: tells a bad line from a bad accelerator.

    Members
    -------
    rx : in, stream of 8
        Bytes from the line.
    tx : out, stream of 8
        Bytes to the line.
    """

    def __init__(self, *, words: int = 4 * REQUEST_WORDS):
        super().__init__({"rx": In(_BYTE), "tx": Out(_BYTE)})
        self.words = words

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = FramedLink(config_hash=0)
        connect(m, flipped(self.rx), link.rx)
        connect(m, link.tx, flipped(self.tx))
        inner = Module()
        inner.submodules.queue = queue = DeepQueue(width=8, depth=8 * self.words)
        m.submodules.core = ResetInserter(link.restart)(inner)
        connect(m, link.command, queue.input)
        connect(m, queue.output, link.results)
        return m


class _SerialBoard(Block):
    """A serial line before a device with streams of bytes.

    Members
    -------
    rx : in, 1
        The pin that the host's bytes come by.
    tx : out, 1
        The pin that bytes go to the host by.
    """

    def __init__(self, *, clock: float, baud: float, memory: MemoryConfig = NO_MEMORY):
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), **outside_members(memory)})
        self.bit_time = bit_time(clock, baud)
        self.memory = memory

    @abstractmethod
    def _device(self) -> Block:
        """What speaks over the line: streams of bytes `rx` and `tx`."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(bit_time=self.bit_time)
        m.submodules.transmitter = transmitter = UartTransmitter(bit_time=self.bit_time)
        m.submodules.device = device = self._device()
        connect(m, receiver.output, device.rx)
        connect(m, device.tx, transmitter.input)
        m.d.comb += [receiver.line.eq(self.rx), self.tx.eq(transmitter.line)]
        pass_on(m, self.memory, device, self)
        return m


class SerialAccelerator(_SerialBoard):
    """The whole digital part of a board with a serial line.

    Parameters
    ----------
    clock, baud : float
        Frequency of `sync` and of the line's bits, both in Hz.

    Members
    -------
    rx : in, 1
        The pin that the host's bytes come by.
    tx : out, 1
        The pin that bytes go to the host by.
    sdram : out, outside_members(config.memory)["sdram"].signature, if config.memory.kind == "sdram"
        The chip of a memory.
    m_axi : out, outside_members(config.memory)["m_axi"].signature, if config.memory.kind == "axi"
        The bus of a memory.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: float,
        baud: float,
        request_words: int = REQUEST_WORDS,
        reply_words: int = REPLY_WORDS,
    ):
        require_processor(config)
        super().__init__(clock=clock, baud=baud, memory=config.memory)
        self.config = config
        self.request_words = request_words
        self.reply_words = reply_words

    def _device(self) -> Block:
        return FramedAccelerator(
            self.config, request_words=self.request_words, reply_words=self.reply_words
        )


class SerialLoopback(_SerialBoard):
    """The same without an accelerator: for the bring-up of a board's line."""

    def _device(self) -> Block:
        return FramedLoopback()
