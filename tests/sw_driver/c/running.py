"""Runs of the C runtime beside the Python driver, for the tests of this folder."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.arch.program import Host, Program, Send, TensorSpec
from sim.functional import FunctionalAccelerator
from sim.replay import functional_link
from sw_driver.c.export import export_program
from sw_driver.protocol.link import Link
from sw_driver.runtime import Runtime, split_inputs
from tb.models.streams import WordStream
from tests.support.c_runtime.ends import PipeEnd, WordsEnd
from tests.support.c_runtime.process import Ran, run_exported
from tests.sw_driver.scripted import CONFIG, words

BUILT_IN = ("quantise", "dequantise", "softmax", "reshape")


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
    """The C runtime on the executor; `hosted` host steps are ours, by default those it has not."""
    exported = export_program(program, counters=counters, stream=stream)
    if hosted is None:
        hosted = [name for name in exported.host_steps if name not in BUILT_IN]
    with tempfile.TemporaryDirectory() as folder:
        return run_exported(
            exported,
            program,
            end or WordsEnd(functional_link(program.config)),
            split_inputs(program, inputs),
            Path(folder),
            options=options,
            host_steps=hosted,
        )


def run_python(program: Program, inputs: Any, link: Link | None = None) -> dict[str, Any]:
    """Outputs by the Python driver on the executor."""
    link = link or functional_link(program.config)
    return Runtime(link, program.config).run(program, inputs).outputs


def same(ran: Ran, expected: Mapping[str, NDArray[Any]]) -> bool:
    """Whether a run ended well with just these outputs, bit for bit."""
    assert not ran.status, ran.said
    return ran.outputs.keys() == expected.keys() and all(
        ran.outputs[name].dtype == array.dtype
        and ran.outputs[name].shape == array.shape
        and ran.outputs[name].tobytes() == np.ascontiguousarray(array).tobytes()
        for name, array in expected.items()
    )


def host_program(
    tensors: Sequence[TensorSpec], steps: Sequence[Host], outputs: Sequence[int]
) -> Program:
    """A program whose only input is tensor 0, and of which the accelerator sees begin and end."""
    begin = Send(np.array(WordStream(CONFIG).words, dtype=np.uint64))
    end = Send(words(lambda stream: stream.end()))
    return Program(CONFIG, "host", tuple(tensors), (0,), tuple(outputs), (begin, *steps, end), ())


def tensor(name: str, shape: Sequence[int], dtype: str) -> TensorSpec:
    """A tensor of a host program."""
    view = (1, 1, int(np.prod(shape[:-1])), shape[-1])
    return TensorSpec(name, name, tuple(shape), view, dtype)


class Failing(FunctionalAccelerator):
    """An accelerator that is sent a damaged word, once."""

    def __init__(self, at: int):
        super().__init__(CONFIG)
        self._left = at

    def send(self, words: NDArray[np.uint64]) -> None:
        """Flip a bit of the word whose turn it is."""
        words = words.copy()
        if 0 <= self._left < len(words):
            words[self._left] ^= np.uint64(1 << 40)
        self._left -= len(words)
        super().send(words)
