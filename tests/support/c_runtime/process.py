"""A process of the C runtime whose words go to a link of ours, and whose host steps we compute."""

import os
import select
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.arch.program import Host, Program
from numerics.host import run_host
from sw_driver.c.export import ExportedProgram
from sw_driver.c.records import NO_INTEGER, ElementType, ParameterKind
from tests.support.c_runtime.build import harness
from tests.support.c_runtime.ends import PipeEnd

Array = NDArray[Any]


@dataclass
class Ran:
    """How a process ended.

    Attributes
    ----------
    status : exit status: 0, or the runtime's code of an error without its sign
    said : what it wrote on standard error
    outputs : by tensor name, an array for all runs that ended well
    asked : names of the host steps that we computed
    """

    status: int
    said: str
    outputs: dict[str, Array]
    asked: list[str] = field(default_factory=list)

    @property
    def cycles(self) -> int:
        """Of the last run."""
        return int(self.said.rsplit("cycles ", 1)[1])

    @property
    def counters(self) -> list[tuple[int, int, int]]:
        """Layer, index and value of every counter word."""
        lines = [line.split() for line in self.said.splitlines()]
        return [
            (int(layer), int(index), int(value))
            for name, layer, index, value in (line for line in lines if line[:1] == ["counter"])
        ]


def run_exported(
    exported: ExportedProgram,
    program: Program,
    end: PipeEnd,
    inputs: Sequence[Mapping[int, Array]],
    folder: Path,
    *,
    options: str = "",
    host_steps: Sequence[str] = (),
) -> Ran:
    """Run a program once for each of the inputs, which are arrays by tensor index."""
    paths = [folder / name for name in ("program.rfc", "inputs.bin", "outputs.bin")]
    paths[0].write_bytes(exported.words.astype("<u8").tobytes())
    paths[1].write_bytes(
        b"".join(
            np.ascontiguousarray(one[index]).tobytes() for one in inputs for index in program.inputs
        )
    )
    steps = [step for step in program.steps if isinstance(step, Host)]
    arguments = [*map(str, paths), str(len(inputs)), options or "-", ",".join(host_steps) or "-"]
    process = _Process(arguments, end, steps)
    status, said = process.run()
    return Ran(status, said, _outputs(program, paths[2].read_bytes()), process.asked)


def _outputs(program: Program, image: bytes) -> dict[str, Array]:
    specs = [program.tensors[index] for index in program.outputs]
    sizes = [int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize for spec in specs]
    runs = len(image) // sum(sizes)
    parts: dict[str, list[Array]] = {spec.name: [] for spec in specs}
    at = 0
    for _ in range(runs):
        for spec, size in zip(specs, sizes, strict=True):
            array = np.frombuffer(image[at : at + size], dtype=spec.dtype).reshape(spec.shape)
            parts[spec.name].append(array)
            at += size
    return {name: np.concatenate(arrays) for name, arrays in parts.items() if arrays}


class _Process:
    """The executable while it runs."""

    def __init__(self, arguments: Sequence[str], end: PipeEnd, steps: Sequence[Host]):
        self.asked: list[str] = []
        self._steps = steps
        self._end = end
        (self._asks, theirs), (ours, self._answers) = os.pipe(), os.pipe()

        self._process = subprocess.Popen(
            [harness(), *arguments, str(theirs), str(ours)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(theirs, ours),
        )
        os.close(theirs)
        os.close(ours)

    def run(self) -> tuple[int, str]:
        """Serve until it ends."""
        process = self._process
        assert process.stdin and process.stdout and process.stderr
        stdout = process.stdout.fileno()
        try:
            while True:
                ready, _, _ = select.select([stdout, self._asks], [], [], 120)
                assert ready, "the C runtime neither sends nor asks"
                if stdout in ready:
                    data = os.read(stdout, 1 << 16)
                    if not data:
                        break
                    self._pass_on(data)
                else:
                    self._compute()
            with suppress(BrokenPipeError):
                process.stdin.close()
            said = process.stderr.read().decode()
            return process.wait(), said
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdout, process.stderr):
                stream.close()
            for descriptor in (self._asks, self._answers):
                os.close(descriptor)

    def _pass_on(self, data: bytes) -> None:
        answer = self._end.answer(data)
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(BrokenPipeError):
            stdin.write(answer)
            stdin.flush()

    def _compute(self) -> None:
        """A host step that the process asks for; the end of its pipe is told by the other one."""
        with open(self._asks, "rb", closefd=False, buffering=0) as file:
            line = _line(file)
            if not line:
                return
            _, step = line.split()
            parameters: dict[str, Any] = {}
            tensors: list[Array] = []
            while (line := _line(file)) != "end":
                if not line:
                    raise EOFError(f"the C runtime ended while it told the step {step}")
                kind, *rest = line.split()
                if kind == "parameter":
                    parameters |= _parameter(rest)
                else:
                    tensors.append(_tensor(rest, file))
        found = [s for s in self._steps if s.op == step and told(s.attributes) == parameters]
        assert found, f"the program has no step {step} with the parameters {parameters}"
        self.asked.append(step)
        for result in run_host(step, tensors, found[0].attributes):
            data = np.ascontiguousarray(result).tobytes()
            while data:
                data = data[os.write(self._answers, data) :]


def _line(file: Any) -> str:
    found = b""
    while (byte := file.read(1)) not in (b"\n", b""):
        found += byte
    return str(found.decode())


def _tensor(words: Sequence[str], file: Any) -> Array:
    kind, size, *shape = map(int, words)
    data = b""
    while len(data) < size:
        part = file.read(size - len(data))
        if not part:
            raise EOFError(f"the C runtime ended after {len(data)} of {size} bytes of a tensor")
        data += part
    return np.frombuffer(data, dtype=ElementType(kind).name.lower()).reshape(shape)


def _parameter(words: Sequence[str]) -> dict[str, Any]:
    name, kind, *values = words
    match ParameterKind(int(kind)):
        case ParameterKind.NOTHING:
            return {name: None}
        case ParameterKind.TEXT:
            return {name: values[0]}
        case ParameterKind.REALS:
            return {name: [float(value) for value in values]}
        case ParameterKind.INTEGERS:
            return {name: [int(value) for value in values]}


def told(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a step as the process tells them: lists, and lists of lists as two."""
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        values = list(value) if isinstance(value, list | tuple) else value
        if isinstance(values, list) and values and isinstance(values[0], list | tuple):
            found[f"{name}.lengths"] = [len(part) for part in values]
            values = [item for part in values for item in part]
        if isinstance(values, list):
            values = [NO_INTEGER if item is None else item for item in values]
        alone = isinstance(values, list | str) or values is None
        found[name] = values if alone else [values]
    return found
