"""Where programs run: the simulated RTL, the command executor, or whatever a URL names."""

from collections.abc import Callable
from functools import cache
from urllib.parse import SplitResult

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.reports.published import chip_link_rate
from rowforge.running.progress import Progress
from sim.link import RtlLink
from sim.replay import functional_link
from sw_driver.accelerator import Accelerator, Connection, register_transport
from sw_driver.protocol.link import Link

GOLDEN = "golden"
RTL = "rtl"
PACED = "rtl-paced"
"""The RTL over the slow link of `chip_link_rate`."""

_SIMULATORS = (RTL, PACED, GOLDEN)


def rtl_link(config: Config, rate: float = 1) -> Link:
    """A simulation of the emitted Verilog that shows its progress on a terminal."""
    progress = Progress()
    progress.show("RTL: looking for the simulator")
    link = RtlLink(
        config, rate=rate, progress=lambda cycles: progress.show(f"RTL: {cycles:,} cycles")
    )
    progress.clear()
    return link


def paced_link(config: Config) -> Link:
    """`rtl_link` over a slow link."""
    return rtl_link(config, chip_link_rate(config))


def _transport(url: SplitResult) -> Connection:
    if url.netloc or url.path or url.query:
        raise RowforgeError(f"target {url.scheme}: takes nothing after it, not {url.geturl()!r}")
    links: dict[str, Callable[[Config], Link]] = {
        RTL: rtl_link,
        PACED: paced_link,
        GOLDEN: functional_link,
    }
    return Connection(for_config=links[url.scheme])


@cache
def register() -> None:
    """Make the simulators known to the driver."""
    for scheme in _SIMULATORS:
        register_transport(scheme, _transport)


def open_target(target: str) -> Accelerator:
    """A session with a target.

    `target` is "rtl", "rtl-paced", "golden" (the command stream executed without time), or a URL
    of a transport that is registered with the driver. Raises `RowforgeError` for another one.
    """
    register()
    return Accelerator.open(f"{target}:" if target in _SIMULATORS else target)


def target_config(target: str) -> Config | None:
    """The configuration of the accelerator behind a target; None for a simulator, which has any."""
    with open_target(target) as accelerator:
        return accelerator.config
