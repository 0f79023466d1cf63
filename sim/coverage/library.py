"""Simulation libraries of designs whose coverage Verilator counts."""

from dataclasses import dataclass
from pathlib import Path

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from sim.coverage.modules import CoveredDesign
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
    if config.memory.outside:
        raise RowforgeError(
            f"coverage of a whole accelerator needs memory.kind none or ram, not "
            f"{config.memory.kind}: the bench's models of memories are Verilog, too"
        )
    from hw.emit.verilog import emit_with_makers
    from hw.top.accelerator import AcceleratorCore

    return _built(*emit_with_makers(AcceleratorCore(config), TOP), optimise=optimise)


def covered_framed_loopback(*, optimise: str = "-O1") -> CoveredLibrary:
    """The framed link before a queue of bytes, in bytes and out bytes."""
    from hw.emit.verilog import emit_with_makers
    from hw.top.serial import FramedLoopback
    from sim.framed_rtl import TOP as BOARD

    verilog, makers = emit_with_makers(FramedLoopback(), BOARD)
    return _built(
        verilog, makers, top=BOARD, stream_in="rx", stream_out="tx", optimise=optimise
    )


def _built(
    verilog: str,
    makers: dict[str, str],
    *,
    optimise: str,
    top: str = TOP,
    stream_in: str = "cmd",
    stream_out: str = "result",
) -> CoveredLibrary:
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
