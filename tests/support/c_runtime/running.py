"""Runs of the C runtime beside the Python driver, and what differs between them."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.arch.config import Config
from hw.arch.program import Host, Program, Send, TensorSpec
from sim.replay import functional_link
from sw_driver.c.export import ExportedProgram, export_program
from sw_driver.protocol.link import Link
from sw_driver.runtime import Runtime, split_inputs
from tb.models.streams import WordStream
from tests.support.c_runtime.ends import PipeEnd, WordsEnd
from tests.support.c_runtime.process import Ran, run_exported

BUILT_IN = frozenset({"quantise", "dequantise", "softmax", "reshape"})
"""Host steps that the runtime computes itself."""


def run_c(
    program: Program,
    inputs: Any,
    *,
    end: PipeEnd | None = None,
    options: str = "",
    counters: bool = False,
    stream: bool = False,
    hosted: Sequence[str] | None = None,
) -> Ran:
    """Export a program, and run it as `run_words` does."""
    exported = export_program(program, counters=counters, stream=stream)
    return run_words(exported, program, inputs, end=end, options=options, hosted=hosted)


def run_words(
    exported: ExportedProgram,
    program: Program,
    inputs: Any,
    *,
    end: PipeEnd | None = None,
    options: str = "",
    hosted: Sequence[str] | None = None,
) -> Ran:
    """The C runtime on the executor; `hosted` host steps are ours, by default those it has not."""
    with tempfile.TemporaryDirectory() as folder:
        return run_exported(
            exported,
            program,
            end or WordsEnd(functional_link(program.config)),
            split_inputs(program, inputs),
            Path(folder),
            options=options,
            host_steps=unknown_steps(exported) if hosted is None else hosted,
        )


def unknown_steps(exported: ExportedProgram) -> list[str]:
    """Names of the program's host steps that the runtime has not."""
    return [name for name in exported.host_steps if name not in BUILT_IN]


def run_python(program: Program, inputs: Any, link: Link | None = None) -> dict[str, Any]:
    """Outputs by the Python driver on the executor."""
    link = link or functional_link(program.config)
    return Runtime(link, program.config).run(program, inputs).outputs


def same(ran: Ran, expected: Mapping[str, NDArray[Any]]) -> bool:
    """Whether a run ended well with just these outputs, bit for bit."""
    assert not ran.status, ran.said
    return not wrong(ran, expected)


def wrong(ran: Ran, expected: Mapping[str, NDArray[Any]]) -> str:
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


def host_program(
    tensors: Sequence[TensorSpec], steps: Sequence[Host], outputs: Sequence[int]
) -> Program:
    """A program whose only input is tensor 0, and of which the accelerator sees begin and end."""
    config = Config()
    stream = WordStream(config)
    begin = Send(np.array(stream.words, dtype=np.uint64))
    stream.end()
    end = Send(np.array(stream.words[len(begin.words) :], dtype=np.uint64))
    return Program(config, "host", tuple(tensors), (0,), tuple(outputs), (begin, *steps, end), ())


def tensor(name: str, shape: Sequence[int], dtype: str) -> TensorSpec:
    """A tensor of a host program."""
    view = (1, 1, int(np.prod(shape[:-1])), shape[-1])
    return TensorSpec(name, name, tuple(shape), view, dtype)
