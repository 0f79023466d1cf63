"""Decoder and engine, as a single accelerator and every cluster has them."""

from amaranth.hdl import Module, ResetInserter, Value
from amaranth.lib.wiring import connect

from hw.arch.config import Config
from hw.base.block import ResetReplacer
from hw.control.decoder import Decoder
from hw.top.engine import Engine


def place_core(m: Module, config: Config, restart: Value | None = None) -> Decoder:
    """Place a decoder with its engine, which is reset by errors of the decoder alone.

    restart : resets the decoder, if there is a replayer before it
    """
    decoder = Decoder(config)
    m.submodules.decoder = decoder if restart is None else ResetInserter(restart)(decoder)
    inner = Module()
    inner.submodules.engine = engine = Engine(config)
    m.submodules.core = ResetReplacer(decoder.flush)(inner)
    connect(m, decoder.engine, engine.control)
    return decoder
