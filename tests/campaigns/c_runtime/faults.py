"""Mistakes in the C runtime, each of which a check must find: what is not checked may be wrong."""

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from compiler.ir.host_steps import softmax_parameters
from hw.arch.config import Config
from hw.arch.program import Host, Program
from sw_driver.c.export import export_program
from tests.support.c_runtime.build import DAMAGE, compiled
from tests.support.c_runtime.running import host_program, tensor
from tests.sw_driver.scripted import make_program, make_stateful_program

_PATIENCE = 120  # seconds; good checks take a few


@dataclass(frozen=True)
class RuntimeFault:
    """A text of a source of the runtime, and what stands there by mistake."""

    file: str
    text: str
    replacement: str

    @property
    def name(self) -> str:
        """For a line of the report."""
        return f"{self.file} without {' '.join(self.text.split())}"


MISSING_CHECKS: Sequence[RuntimeFault] = (
    RuntimeFault("check.c", "rowforge_walk_within(walk, tensor.elements)", "1"),
    RuntimeFault(
        "check.c",
        "if (number >= session->tensors)\n            return inconsistent",
        "if (0)\n            return inconsistent",
    ),
    RuntimeFault("check.c", "FIELD(record, TENSOR, PLACE) > memory - bytes", "0"),
    RuntimeFault("check.c", "elements != FIELD(record, TENSOR, ELEMENTS)", "0"),
    RuntimeFault("check.c", "rank > ROWFORGE_PROGRAM_MOST_RANK ||", ""),
    RuntimeFault(
        "check.c",
        "|| number >= session->tensors)\n            return 0;",
        ")\n            return 0;",
    ),
    RuntimeFault("check.c", "session->once > session->steps", "0"),
)
"""Without any one of these a faulty program leads the runtime out of its bounds."""


@dataclass(frozen=True)
class DamageFinding:
    """How faulty programs fared: whether the sanitisers were silent, and what was printed."""

    sound: bool
    said: str


def damaged_programs() -> list[Program]:
    """What is damaged: programs with every kind of step and every host step of the runtime's."""
    board = Config.of({"memory.kind": "ram", "memory.words": 1 << 12})
    shape = (8, 8)
    tensors = [tensor(name, shape, "int8") for name in ("x", "a", "b", "y")]
    tensors[2] = tensor("b", shape, "float32")
    # Its elements follow its shape in the pool, each word of them 4096 as the length of a row.
    tensors.append(tensor("c", shape, "int8"))
    rows = np.zeros(shape, dtype=np.int8)
    rows[:, 1] = 16
    steps = [
        Host("softmax", (0,), (1,), {**softmax_parameters(0.1, 1.0), "dtype": "int8"}),
        Host("dequantise", (1,), (2,), {"scale": 0.1, "zero_point": 3}),
        Host("quantise", (2,), (3,), {"scale": 0.1, "zero_point": 3, "dtype": "int8"}),
        Host("reshape", (3,), (0,), {"shape": shape}),
        Host("softmax", (4,), (1,), {**softmax_parameters(0.1, 1.0), "dtype": "int8"}),
    ]
    return [
        make_program(),
        make_stateful_program(),
        replace(make_program(), config=board),
        replace(host_program(tensors, steps, (0, 3)), constants={4: rows}),
    ]


def run_damaged(seed: int, count: int, fault: RuntimeFault | None = None) -> DamageFinding:
    """So many faulty programs of each kind, on the runtime with a mistake or without one."""
    changes = {} if fault is None else {fault.file: (fault.text, fault.replacement)}
    executable = compiled(*DAMAGE, changes=changes)
    said = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.rfc"
        for program in damaged_programs():
            words = export_program(program, counters=True).words
            path.write_bytes(words.astype(np.dtype("<u8")).tobytes())
            command = [executable, path, str(seed), str(count)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
            except subprocess.TimeoutExpired:
                return DamageFinding(False, f"it runs for more than {_PATIENCE} s")
            if done.returncode:
                return DamageFinding(False, done.stderr[:1500])
            said.append(done.stdout.strip())
    return DamageFinding(True, ", ".join(said))
