"""The framed link: bytes of a line on one side, bytes of words on the other."""

from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.frames import REPLY_WORDS, REQUEST_WORDS
from hw.base.block import Block
from hw.link.cobs import CobsDecoder, CobsEncoder
from hw.link.crc import Sealer
from hw.link.packet_fifo import PacketFifo
from hw.link.receiver import FrameReceiver
from hw.link.responder import Responder


class FramedLink(Block):
    """The device's end of the protocol in `hw.arch.frames`.

    It needs two block RAMs of 2 KiB (with 256 words each way) and one of 256 bytes.

    Parameters
    ----------
    config_hash : int
        Of the accelerator, for STATUS.
    request_words, reply_words : int
        Words that wait for the accelerator at most, a power of two; most result words in a reply.

    Members
    -------
    rx : in, stream of 8
        Bytes from the line; they wait only while a reply is made.
    tx : out, stream of 8
        Bytes to the line.
    command : out, stream of 8
        Bytes of the command stream's words, least significant first.
    results : in, stream of 8
        Bytes of the result stream's words.
    restart : out, 1
        Synchronous reset for what `command` leads to and `results` comes from.
    """

    def __init__(
        self,
        *,
        config_hash: int,
        request_words: int = REQUEST_WORDS,
        reply_words: int = REPLY_WORDS,
    ):
        byte = stream.Signature(8)
        super().__init__(
            {
                "rx": In(byte),
                "tx": Out(byte),
                "command": Out(byte),
                "results": In(byte),
                "restart": Out(1),
            }
        )
        self.config_hash = config_hash
        self.request_words = request_words
        self.reply_words = reply_words

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.decoder = decoder = CobsDecoder()
        m.submodules.receiver = receiver = FrameReceiver()
        m.submodules.buffer = buffer = PacketFifo(words=self.request_words)
        m.submodules.responder = responder = Responder(
            request_words=self.request_words,
            reply_words=self.reply_words,
            config_hash=self.config_hash,
        )
        m.submodules.sealer = sealer = Sealer()
        m.submodules.encoder = encoder = CobsEncoder()
        connect(m, flipped(self.rx), decoder.input)
        connect(m, decoder.output, receiver.input)
        connect(m, receiver.frame, responder.frame)
        connect(m, flipped(self.results), responder.results)
        connect(m, responder.reply, sealer.input)
        connect(m, sealer.output, encoder.input)
        connect(m, encoder.output, flipped(self.tx))
        connect(m, buffer.output, flipped(self.command))
        m.d.comb += [
            buffer.put.eq(receiver.put),
            buffer.data.eq(receiver.data),
            buffer.keep.eq(responder.keep),
            buffer.drop.eq(responder.drop),
            buffer.clear.eq(responder.restart),
            responder.overflow.eq(buffer.overflow),
            responder.room.eq(buffer.room),
            self.restart.eq(responder.restart),
        ]
        return m
