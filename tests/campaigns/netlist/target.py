"""The ECP5 netlist as a target of `rowforge.running.execution.run_program`."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from urllib.parse import SplitResult

from hw.arch.config import Config
from sim.link import RtlLink
from sim.netlist.ecp5_netlist import netlist_library
from sw_driver.accelerator import Connection, register_transport

# Four PEs with weight zero points and zero gating; its buffer is of block RAM, its PEs and its
# requantiser multiply in DSP blocks, its scratchpads are of LUT RAM.
SMALL = Config.of(
    {
        "array.rows": 2,
        "array.cols": 2,
        "pe.filter_spad": 64,
        "pe.psum_spad": 8,
        "noc.ifmap": 2,
        "noc.filter": 4,
        "noc.psum_in": 1,
        "noc.psum_out": 1,
        "buffer.banks": 4,
        "buffer.depth": 512,
        "buffer.filter_prefetch": 1024,
        "pe.weight_zero_points": True,
        "post.channels": 64,
        "control.row_patterns": 4,
        "control.col_patterns": 4,
    }
)


def netlist_target(
    *, options: Sequence[str] = (), models: str | None = None, stall_seed: int | None = None
) -> str:
    """Registers the netlist with the driver; returns its URL. Arguments: see `netlist_library`."""

    def link(config: Config) -> RtlLink:
        library = netlist_library(config, options=options, models=models)
        return RtlLink(config, library=library, stall_seed=stall_seed)

    register_transport("netlist", partial(_connect, link))
    return "netlist:"


def library_target(library: Path) -> str:
    """Registers a simulation library of a netlist with the driver; returns its URL."""

    def link(config: Config) -> RtlLink:
        return RtlLink(config, library=library)

    register_transport("library", partial(_connect, link))
    return "library:"


def _connect(link: object, url: SplitResult) -> Connection:
    return Connection(for_config=link)
