"""Serial lines and pseudo-terminals as byte transports: `serial:///dev/ttyX?baud=N`.

POSIX only: the line is set up through `termios`, without a further package.
"""

import importlib
import os
from types import ModuleType

from hw.arch.errors import RowforgeError
from sw_driver.protocol.errors import LinkBusyError, LinkError
from sw_driver.protocol.transport import DescriptorTransport

DEFAULT_BAUD = 1_000_000
BITS_PER_BYTE = 10  # start bit, eight data bits, stop bit
LATENCY = 0.1  # seconds: what a USB bridge holds back, several times


def connect(path: str, baud: int = DEFAULT_BAUD) -> DescriptorTransport:
    """An exclusive, raw line of 8 data bits, no parity, one stop bit, no flow control.

    Raises `RowforgeError` for a speed that the system does not know, `LinkBusyError` if another
    process has the line, `LinkError` if it cannot be opened.
    """
    termios, locks = _module("termios"), _module("fcntl")
    if f"B{baud}" not in vars(termios):
        speeds = sorted(int(name[1:]) for name in vars(termios) if name[1:].isdigit())
        near = min(speeds, key=lambda speed: abs(speed - baud))
        raise RowforgeError(f"baud must be a speed of the system, not {baud}; {near} works")
    try:
        line = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise LinkError(f"cannot open {path}: {error.strerror}") from None
    try:
        locks.flock(line, locks.LOCK_EX | locks.LOCK_NB)
        _make_raw(termios, line, baud)
    except BlockingIOError:
        os.close(line)
        raise LinkBusyError(f"{path} is in use by another client") from None
    except (OSError, termios.error) as error:
        os.close(line)
        raise LinkError(f"{path} is no serial line: {error.args[-1]}") from None
    return DescriptorTransport(
        line, path, speed=baud / BITS_PER_BYTE, latency=LATENCY, close=lambda: os.close(line)
    )


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise RowforgeError(
            "target serial: needs a POSIX system; on others a serial-to-TCP bridge and tcp: serve"
        ) from None


def _make_raw(termios: ModuleType, line: int, baud: int) -> None:
    """No echo, no translation, no signals: bytes as they are."""
    attributes = termios.tcgetattr(line)
    control = attributes[6]
    control[termios.VMIN], control[termios.VTIME] = 0, 0
    speed = getattr(termios, f"B{baud}")
    mode = termios.CS8 | termios.CREAD | termios.CLOCAL
    termios.tcsetattr(line, termios.TCSANOW, [0, 0, mode, 0, speed, speed, control])
    termios.tcflush(line, termios.TCIOFLUSH)
