"""A program by the C runtime, in one of several ways, and by the Python driver."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from hw.arch.config.file import config_hash
from hw.arch.program import Program
from sim.framed_device import FramedDevice, LinkPort
from sim.replay import functional_link
from sw_driver.c.export import ExportedProgram, export_program
from tests.campaigns.link.channel import Faults, SimulatedTransport
from tests.support.c_runtime.ends import LineEnd
from tests.support.c_runtime.process import Ran
from tests.support.c_runtime.running import run_python, run_words, unknown_steps, wrong

UNKNOWN_HOST_STEP = 7  # the exit status of what names a step that nobody computes
BAD = Faults(bit_error=1e-5, drop_bytes=0.01, drop=0.01, duplicate=0.02, reorder=0.02,
             truncate=0.01, garbage=0.02)  # fmt: skip


@dataclass(frozen=True)
class Way:
    """How a program runs: options of the process, by the link although there is a memory."""

    name: str
    options: str = ""
    stream: bool = False


WAYS = (
    Way("pipe"),
    Way("file", "f"),
    Way("registers", "a"),
    Way("bad line", "l"),
    Way("streamed", stream=True),
    Way("forgotten", "o"),
)


def both(
    program: Program,
    inputs: Mapping[str, NDArray[Any]] | NDArray[Any],
    way: Way = WAYS[0],
    seed: str = "",
) -> tuple[ExportedProgram, Ran, str]:
    """The exported program, its run by the C runtime, and what is wrong with it; "" if nothing.

    Host steps that the runtime has not are ours. Where there are such, a run without them must
    name one.
    """
    expected = run_python(program, inputs)
    exported = export_program(program, stream=way.stream)
    ours = unknown_steps(exported)
    if ours:
        refused = run_words(exported, program, inputs, hosted=())
        named = any(refused.said.strip().endswith(f" the host step {name}") for name in ours)
        if refused.status != UNKNOWN_HOST_STEP or not named:
            return exported, refused, f"status {refused.status}: {refused.said.strip()}"
    end = _line_end(program, seed) if "l" in way.options else None
    ran = run_words(exported, program, inputs, end=end, options=way.options)
    return exported, ran, wrong(ran, expected)


def _line_end(program: Program, seed: str) -> LineEnd:
    config = program.config
    port = LinkPort(lambda: functional_link(config))
    device = FramedDevice(port, config_hash=config_hash(config))
    return LineEnd(SimulatedTransport(device, BAD, seed))
