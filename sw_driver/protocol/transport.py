"""Byte transports below the framed link: what they promise, and those that are file descriptors."""

import os
import select
import time
from collections.abc import Callable
from typing import Protocol

from sw_driver.protocol.errors import LinkError, LinkTimeoutError

_CHUNK = 1 << 16


class ByteTransport(Protocol):
    """A line that carries bytes both ways and may damage, lose or repeat them.

    Attributes
    ----------
    speed : bytes a second each way, at least
    latency : seconds that an answer may take beside the time of its bytes
    """

    speed: float
    latency: float

    def write(self, data: bytes) -> None:
        """Send bytes; `LinkError` if the line is broken."""

    def read(self, timeout: float) -> bytes:
        """What has come, as soon as there is something; empty after `timeout` seconds of silence.

        Raises `LinkError` if the line is broken and holds nothing more.
        """

    def now(self) -> float:
        """Seconds on a clock that only goes forward."""

    def close(self) -> None:
        """Release the line; may be called again."""


class DescriptorTransport:
    """A socket, a serial line or a pseudo-terminal as a non-blocking file descriptor.

    `close` is called once, to release the descriptor; `name` is what messages call the line.
    """

    def __init__(
        self,
        descriptor: int,
        name: str,
        *,
        speed: float,
        latency: float,
        close: Callable[[], None],
    ):
        self.speed = speed
        self.latency = latency
        self._descriptor = descriptor
        self._name = name
        self._close: Callable[[], None] | None = close

    def write(self, data: bytes) -> None:
        """Send bytes; `LinkTimeoutError` if the line takes none for a second."""
        rest = memoryview(data)
        patience = 1.0 + self.latency
        while rest:
            self._check_open()
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                if not select.select([], [self._descriptor], [], patience)[1]:
                    raise LinkTimeoutError(f"{self._name} takes no more bytes") from None
            except OSError as error:
                raise self._broken(error) from None

    def read(self, timeout: float) -> bytes:
        """What has come; empty after `timeout` seconds."""
        self._check_open()
        if not select.select([self._descriptor], [], [], max(timeout, 0.0))[0]:
            return b""
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._broken(error) from None
        if not data:
            raise LinkError(f"{self._name} was closed at the other end")
        return data

    def now(self) -> float:
        """Seconds."""
        return time.monotonic()

    def close(self) -> None:
        """Release the descriptor."""
        if self._close is not None:
            self._close()
            self._close = None

    def _check_open(self) -> None:
        if self._close is None:
            raise LinkError(f"{self._name} is closed")

    def _broken(self, error: OSError) -> LinkError:
        return LinkError(f"{self._name} is broken: {error.strerror or error}")
