"""An accelerator in a Zynq's own fabric, through the AXI DMA of a PYNQ overlay.

On-chip buses damage nothing: the words cross without frames. The overlay connects an AXI DMA to
the streams of the AXI wrapper and the processor to its registers (`hw.arch.registers`); the
wrapper ends a packet where its PACKET register says, which is where the DMA's transfer ends.
"""

import importlib
import time
from typing import Any

import numpy as np

from hw.arch.commands import MAGIC
from hw.arch.errors import RowforgeError
from hw.arch.program import Words
from hw.arch.registers import STATE_RESULT, Register
from sw_driver.protocol.errors import LinkError, LinkTimeoutError, ProtocolError

DMA = "axi_dma_0"
ACCELERATOR = "rowforge_0"
PATIENCE = 30.0  # seconds without a word
_WORDS = 1024  # in one transfer: 8 KiB, within the smallest DMA
_WORD_BYTES = 8


class PynqLink:
    """A `sw_driver.protocol.link.BoardLink` over DMA.

    Parameters
    ----------
    bitstream : str
        Path of the overlay.
    dma : str
        The DMA's name in it; the wrapper's is `rowforge_0`.

    Raises
    ------
    RowforgeError
        Where the package `pynq` is absent, or the overlay has no such parts.
    """

    def __init__(self, bitstream: str, *, dma: str = DMA):
        try:
            package: Any = importlib.import_module("pynq")
        except ImportError:
            raise RowforgeError(
                "target pynq: needs the Python package pynq, which runs on the Zynq board itself"
            ) from None
        overlay = package.Overlay(bitstream)
        for name in (dma, ACCELERATOR):
            if name not in overlay.ip_dict:
                raise RowforgeError(f"the overlay {bitstream} must have a part {name}")
        self._dma = getattr(overlay, dma)
        self._registers = getattr(overlay, ACCELERATOR)
        self._outgoing = package.allocate(shape=(_WORDS,), dtype=np.uint64)
        self._incoming = package.allocate(shape=(_WORDS,), dtype=np.uint64)
        self._results: list[Words] = []
        low, high = (
            self._registers.read(Register.MAGIC_LOW),
            self._registers.read(Register.MAGIC_HIGH),
        )
        if high << 32 | low != MAGIC:
            raise ProtocolError("the overlay's part does not answer as a Rowforge accelerator")
        self.reset()

    def send(self, words: Words) -> None:
        """Send words; results that would block them are fetched meanwhile."""
        for start in range(0, len(words), _WORDS):
            part = words[start : start + _WORDS]
            self._outgoing[: len(part)] = part
            self._dma.sendchannel.transfer(self._outgoing, nbytes=_WORD_BYTES * len(part))
            moved = time.monotonic()
            while not self._dma.sendchannel.idle:
                if self._registers.read(Register.STATE) & STATE_RESULT:
                    self._results.append(self._fetch(1))
                    moved = time.monotonic()
                elif time.monotonic() - moved > PATIENCE:
                    raise LinkTimeoutError(f"the accelerator took no word for {PATIENCE:.0f} s")

    def receive(self, count: int) -> Words:
        """The next result words."""
        have = sum(map(len, self._results))
        while have < count:
            self._results.append(self._fetch(min(count - have, _WORDS)))
            have += len(self._results[-1])
        words = np.concatenate([np.zeros(0, dtype=np.uint64), *self._results])
        self._results = [words[count:]] if have > count else []
        return words[:count]

    def _fetch(self, count: int) -> Words:
        """So many result words by DMA."""
        self._dma.recvchannel.transfer(self._incoming, nbytes=_WORD_BYTES * count)
        self._registers.write(Register.PACKET, count)
        end = time.monotonic() + PATIENCE
        while not self._dma.recvchannel.idle:
            if time.monotonic() > end:
                raise LinkTimeoutError(f"the accelerator gave no word for {PATIENCE:.0f} s")
        return np.array(self._incoming[:count], dtype=np.uint64)

    def cycles(self) -> None:
        """A board does not tell; its counters do, layer by layer."""

    def reset(self) -> None:
        """Reset the accelerator; `LinkError` if a transfer is stuck, which a new overlay ends."""
        self._registers.write(Register.CONTROL, 1)
        self._results = []
        if not (self._dma.sendchannel.idle and self._dma.recvchannel.idle):
            self._dma.sendchannel.start()
            self._dma.recvchannel.start()
            if not self._dma.sendchannel.idle:
                raise LinkError("a DMA transfer is stuck: load the overlay again")

    def close(self) -> None:
        """Give the buffers back."""
        self._outgoing.freebuffer()
        self._incoming.freebuffer()
