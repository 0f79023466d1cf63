"""TCP as a byte transport: `tcp://host:port`."""

import socket

from sw_driver.protocol.errors import LinkError
from sw_driver.protocol.transport import DescriptorTransport

SPEED = 1e6  # bytes a second: what even a simulated board's line takes
LATENCY = 0.5  # seconds
_CONNECT = 1.5  # seconds for the connection


def connect(host: str, port: int) -> DescriptorTransport:
    """A connection to a board; `LinkError` if there is nobody."""
    name = f"tcp://{host}:{port}"
    try:
        connection = socket.create_connection((host, port), timeout=_CONNECT)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
    except OSError as error:
        raise LinkError(f"cannot connect to {name}: {error.strerror or error}") from None
    return DescriptorTransport(
        connection.fileno(), name, speed=SPEED, latency=LATENCY, close=connection.close
    )
