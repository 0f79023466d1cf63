"""A simulated board that listens like a real one: on a TCP port or on a pseudo-terminal."""

import os
import select
import socket
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from hw.arch.errors import RowforgeError
from hw.arch.frames import DELIMITER, NAK, REPLY, LinkStatus
from sw_driver.protocol.frames import Frame, encode_frame

Alive = Callable[[int], None]
Ready = Callable[[str], None]
Stop = Callable[[], bool]

_DELIMITER = bytes([DELIMITER])
_HEARTBEAT = 0.05  # seconds between two signs of life while the simulation works on a reply
_TURN = 0.2  # seconds between two looks at `stop`
_LINGER = 2.0  # seconds for a refused client to read why
_CHUNK = 1 << 16
_HANG_UP = getattr(select, "POLLRDHUP", select.POLLHUP)


class ByteDevice(Protocol):
    """What answers bytes with bytes, such as `sim.framed_rtl.FramedRtl`."""

    def feed(self, data: bytes, alive: Alive | None = None) -> bytes:
        """The answer; `alive` is called now and then until it is there."""


class _Heart:
    """Sends an empty frame, which means nothing, when the last sign of life is old."""

    def __init__(self, send: Callable[[bytes], None]):
        self._send = send
        self._last = time.monotonic()

    def beat(self, _: int) -> None:
        if time.monotonic() - self._last >= _HEARTBEAT:
            self._send(_DELIMITER)
            self._last = time.monotonic()


def _forever() -> bool:
    return False


# ---- a pseudo-terminal --------------------------------------------------------------------------


def serve_pty(device: ByteDevice, ready: Ready, stop: Stop = _forever) -> None:
    """Serve until `stop`; `ready` is told the URL. Clients lock the terminal among themselves."""
    board, line = os.openpty()
    try:
        tty.setraw(line)
        ready(f"serial://{os.ttyname(line)}")
        while not stop():
            if select.select([board], [], [], _TURN)[0]:
                data = os.read(board, _CHUNK)
                heart = _Heart(lambda sign: _write_some(board, sign))
                _write_all(board, device.feed(data, heart.beat))
    finally:
        os.close(board)
        os.close(line)


def _write_all(descriptor: int, data: bytes) -> None:
    """Write bytes; what a client that is gone leaves unread too long is dropped."""
    rest = memoryview(data)
    while rest and select.select([], [descriptor], [], _LINGER)[1]:
        rest = rest[os.write(descriptor, rest) :]


def _write_some(descriptor: int, data: bytes) -> None:
    if select.select([], [descriptor], [], 0)[1]:
        os.write(descriptor, data)


# ---- TCP ----------------------------------------------------------------------------------------


def serve_tcp(
    device: ByteDevice, port: int, ready: Ready, stop: Stop = _forever, host: str = "127.0.0.1"
) -> None:
    """Serve until `stop`; `ready` is told the URL. Port 0: any that is free.

    One client at a time: others are told so and let go. Raises `RowforgeError` for a port that
    cannot be had.
    """
    try:
        listener = socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        raise RowforgeError(f"cannot listen on {host}:{port}: {error}") from None
    with listener:
        listener.setblocking(False)
        ready(f"tcp://{host}:{listener.getsockname()[1]}")
        _TcpBoard(device, listener).serve(stop)


def _has_left(client: socket.socket) -> bool:
    """Whether the other end is closed, even if bytes from it are still to be read."""
    poll = select.poll()
    poll.register(client, _HANG_UP)
    return bool(poll.poll(0))


class _TcpBoard:
    """The one client and those that are turned away."""

    def __init__(self, device: ByteDevice, listener: socket.socket):
        self._device = device
        self._listener = listener
        self._client: socket.socket | None = None
        self._refused: list[tuple[float, socket.socket]] = []

    def serve(self, stop: Stop) -> None:
        try:
            while not stop():
                self._turn()
        finally:
            self._drop_client()
            for _, other in self._refused:
                other.close()

    def _turn(self) -> None:
        """Wait a little for something to happen, and deal with it."""
        ends = [self._listener] + ([self._client] if self._client else [])
        readable = select.select(ends, [], [], _TURN)[0]
        if self._client in readable:
            self._answer()
        if self._listener in readable:
            self._accept()
        self._forget_refused()

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            client, _ = self._listener.accept()
            if self._client is not None and _has_left(self._client):
                self._drop_client()
            if self._client is None:
                self._client = client
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._device.feed(_DELIMITER)  # ends what the client before left unfinished
            else:
                self._refuse(client)

    def _refuse(self, client: socket.socket) -> None:
        """Say why, and leave the client time to read it."""
        with suppress(OSError):
            client.sendall(encode_frame(Frame(NAK | REPLY, LinkStatus.IN_USE)))
            client.shutdown(socket.SHUT_WR)
        self._refused.append((time.monotonic() + _LINGER, client))

    def _forget_refused(self) -> None:
        now = time.monotonic()
        for end, client in self._refused:
            if now > end:
                client.close()
        self._refused = [(end, client) for end, client in self._refused if now <= end]

    def _answer(self) -> None:
        client = self._client
        assert client is not None
        heart = _Heart(self._send)

        def alive(cycles: int) -> None:
            heart.beat(cycles)
            self._accept()

        try:
            data = client.recv(_CHUNK)
        except OSError:
            data = b""
        if not data:
            self._drop_client()
            return
        self._send(self._device.feed(data, alive))

    def _send(self, data: bytes) -> None:
        try:
            if self._client is not None:
                self._client.sendall(data)
        except OSError:
            self._drop_client()

    def _drop_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
