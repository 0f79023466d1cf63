"""Simulation libraries of designs whose coverage Verilator counts."""

from dataclasses import dataclass
from pathlib import Path

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.base.block import Block
from sim.coverage.modules import CoveredDesign
from sim.framed_rtl import TOP as BOARD
from sim.link import TOP
from sim.verilator import Build, build_library

# Signals of any width are counted, which Verilator's own limit of 256 bits would leave out.
COVERAGE_FLAGS = ("--coverage-line", "--coverage-toggle", "--coverage-max-width", "65536")
_HARNESS = Path(__file__).with_name("coverage_harness.cpp")
_STREAMS = Path(__file__).parents[1] / "rtl_harness.cpp"


@dataclass(frozen=True, kw_only=True)
class CoveredLibrary:
    """A design and the library that simulates it.

    Attributes
    ----------
    design : CoveredDesign
    library : Path
        As `sim.rtl.RtlEngine` takes it, with `write_coverage`.
    """

    design: CoveredDesign
    library: Path


def covered_core(config: Config, *, optimise: str = "-O1") -> CoveredLibrary:
    """The accelerator of a configuration that has no memory outside of it.

    Raises `RowforgeError` for one that has.
    """
    from hw.top.accelerator import AcceleratorCore

    if config.memory.outside:
        raise RowforgeError(
            f"coverage of a whole accelerator needs memory.kind none or ram, not "
            f"{config.memory.kind}: models of memories outside of it are Verilog, too"
        )
    return covered_streams(
        AcceleratorCore(config), TOP, stream_in="cmd", stream_out="result", optimise=optimise
    )


def covered_framed_loopback(*, optimise: str = "-O1") -> CoveredLibrary:
    """The framed link before a queue, bytes in and bytes out."""
    from hw.top.serial import FramedLoopback

    return covered_streams(
        FramedLoopback(), BOARD, stream_in="rx", stream_out="tx", optimise=optimise
    )


def covered_streams(
    block: Block, top: str, *, stream_in: str, stream_out: str, optimise: str = "-O1"
) -> CoveredLibrary:
    """A block between two streams of at most 64 bits, from the cache or built now.

    Parameters
    ----------
    block : Block
    top : str
        Name of its module.
    stream_in, stream_out : str
        Its members; it has no other inputs.
    optimise : str
        C++ compiler option.
    """
    from hw.emit.verilog import emit_with_makers

    verilog, makers = emit_with_makers(block, top)
    design = CoveredDesign(verilog, top, makers)
    build = Build(
        top=top,
        stream_in=stream_in,
        stream_out=stream_out,
        optimise=optimise,
        flags=COVERAGE_FLAGS,
        harness=_HARNESS,
        headers=(_STREAMS,),
    )
    return CoveredLibrary(design=design, library=build_library(design.text, build))
