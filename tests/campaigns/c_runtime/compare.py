"""A program by the C runtime and by the Python driver: the same outputs, or what differs."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.arch.config.file import config_hash
from hw.arch.program import Program
from sim.framed_device import FramedDevice, LinkPort
from sim.replay import functional_link
from sw_driver.c.export import ExportedProgram, export_program
from sw_driver.runtime import Runtime, split_inputs
from tests.campaigns.link.channel import Faults, SimulatedTransport
from tests.support.c_runtime.ends import LineEnd, PipeEnd, WordsEnd
from tests.support.c_runtime.process import Ran, run_exported

Array = NDArray[Any]

BUILT_IN = frozenset({"quantise", "dequantise", "softmax", "reshape"})
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
    program: Program, inputs: Mapping[str, Array] | Array, way: Way = WAYS[0], seed: str = ""
) -> tuple[ExportedProgram, Ran, str]:
    """The exported program, its run by the C runtime, and what is wrong with it; "" if nothing.

    Host steps that the runtime has not are ours. Where there are such, a run without them must
    name one.
    """
    expected = Runtime(functional_link(program.config), program.config).run(program, inputs).outputs
    exported = export_program(program, stream=way.stream)
    ours = [name for name in exported.host_steps if name not in BUILT_IN]
    items = split_inputs(program, inputs)
    with tempfile.TemporaryDirectory() as folder:

        def run(options: str, end: PipeEnd, steps: Sequence[str]) -> Ran:
            return run_exported(
                exported, program, end, items, Path(folder), options=options, host_steps=steps
            )

        if ours:
            refused = run("", _words_end(program), ())
            named = any(refused.said.strip().endswith(f" the host step {name}") for name in ours)
            if refused.status != UNKNOWN_HOST_STEP or not named:
                return exported, refused, f"status {refused.status}: {refused.said.strip()}"
        end = _line_end(program, seed) if "l" in way.options else _words_end(program)
        ran = run(way.options, end, ours)
    return exported, ran, wrong(ran, expected)


def wrong(ran: Ran, expected: Mapping[str, Array]) -> str:
    """What differs between a run's outputs and these; "" if nothing."""
    if ran.status:
        return f"status {ran.status}: {ran.said.strip()[-400:]}"
    if ran.outputs.keys() != expected.keys():
        return f"outputs {', '.join(ran.outputs)} in place of {', '.join(expected)}"
    said = []
    for name, array in expected.items():
        found = ran.outputs[name]
        if (found.dtype, found.shape) != (array.dtype, array.shape):
            said.append(f"{name} is {found.dtype} {found.shape}, not {array.dtype} {array.shape}")
        elif found.tobytes() != np.ascontiguousarray(array).tobytes():
            said.append(f"{np.sum(found != array)} of {array.size} values of {name}")
    return "; ".join(said)


def _words_end(program: Program) -> WordsEnd:
    return WordsEnd(functional_link(program.config))


def _line_end(program: Program, seed: str) -> LineEnd:
    config = program.config
    port = LinkPort(lambda: functional_link(config))
    device = FramedDevice(port, config_hash=config_hash(config))
    return LineEnd(SimulatedTransport(device, BAD, seed))
