"""URLs of boards: `tcp://host:port`, `serial:///dev/ttyX?baud=N`, `pynq:`."""

from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import SplitResult, parse_qsl

from hw.arch.errors import RowforgeError
from sw_driver.protocol.framed import PATIENCE, FramedClient
from sw_driver.protocol.link import BoardLink
from sw_driver.transports import pynq, serial, tcp

Opener = Callable[[SplitResult], BoardLink]


def open_tcp(url: SplitResult) -> FramedClient:
    """`tcp://host:port?patience=SECONDS`."""
    options = _options(url, "patience")
    try:
        port = url.port
    except ValueError:
        port = None
    if not url.hostname or not port or url.path:
        raise RowforgeError(f"target tcp: must be tcp://host:port, not {url.geturl()!r}")
    return FramedClient(
        partial(tcp.connect, url.hostname, port), patience=options.get("patience", PATIENCE)
    )


def open_serial(url: SplitResult) -> FramedClient:
    """`serial:///dev/ttyX?baud=N&patience=SECONDS`."""
    options = _options(url, "baud", "patience")
    if url.netloc or not url.path:
        raise RowforgeError(f"target serial: must be serial:///dev/..., not {url.geturl()!r}")
    baud = int(options.get("baud", serial.DEFAULT_BAUD))
    return FramedClient(
        partial(serial.connect, url.path, baud), patience=options.get("patience", PATIENCE)
    )


def open_pynq(url: SplitResult) -> BoardLink:
    """`pynq:BITSTREAM?dma=NAME`: an overlay on a Zynq board, from Python on that board."""
    options = dict(parse_qsl(url.query, keep_blank_values=True))
    unknown = sorted(set(options) - {"dma"})
    if unknown or url.netloc:
        raise RowforgeError(f"target pynq: must be pynq:FILE.bit?dma=NAME, not {url.geturl()!r}")
    return pynq.PynqLink(url.path, dma=options.get("dma", pynq.DMA))


OPENERS: Mapping[str, Opener] = {"tcp": open_tcp, "serial": open_serial, "pynq": open_pynq}


def _options(url: SplitResult, *known: str) -> dict[str, float]:
    """The positive numbers after the question mark."""
    options: dict[str, float] = {}
    for name, text in parse_qsl(url.query, keep_blank_values=True):
        if name not in known:
            raise RowforgeError(
                f"target {url.scheme}: has the options {', '.join(known)}, not {name}"
            )
        try:
            options[name] = float(text)
        except ValueError:
            options[name] = 0.0
        if not 0 < options[name] < 1e9:
            raise RowforgeError(f"{name} must be a positive number, not {text!r}")
    return options
