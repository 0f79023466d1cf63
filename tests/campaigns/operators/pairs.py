"""Where interpreters disagree: `python -m tests.campaigns.operators.pairs --litert PYTHON`.

Runs the tests of the TFLite front end and keeps every file of one operator that TensorFlow Lite
Micro ran, with its inputs and outputs. LiteRT then computes the same files in the environment of
PYTHON, which has the package `ai-edge-litert`. Writes for each operator and type the files in which
its reference kernels and its optimised ones give something else, to docs/results/oracles.json, and
the table of docs/models.md. Exit status 1 if a test fails or if nothing was compared.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from tflite_micro import runtime

from hw.arch.errors import RowforgeError
from tests.campaigns.operators.files import operators_of
from tests.campaigns.operators.tables import KERNELS, ORACLES, write_page
from tests.support.missed import conclude

COMMAND = "python -m tests.campaigns.operators.pairs --litert PYTHON"
TESTS = ("tests/compiler/frontends/tflite", "tests/compiler/frontends/test_sixteen.py")


@dataclass
class _Run:
    """One inference of TensorFlow Lite Micro, the first of its interpreter."""

    content: bytes
    inputs: dict[int, np.ndarray] = field(default_factory=dict)
    outputs: dict[int, np.ndarray] = field(default_factory=dict)
    invoked: int = 0


class _Watched:
    """An interpreter whose first inference is recorded; all else is the interpreter's own."""

    def __init__(self, interpreter: Any, run: _Run) -> None:
        self._interpreter, self._run = interpreter, run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._interpreter, name)

    def set_input(self, array: np.ndarray, position: int) -> None:
        if not self._run.invoked:
            self._run.inputs[position] = np.array(array)
        self._interpreter.set_input(array, position)

    def invoke(self) -> None:
        self._interpreter.invoke()
        self._run.invoked += 1

    def get_output(self, position: int) -> np.ndarray:
        array = self._interpreter.get_output(position)
        if self._run.invoked == 1:
            self._run.outputs[position] = np.array(array)
        return array


@contextmanager
def recorded(runs: list[_Run]) -> Generator[None]:
    """Every interpreter that is opened inside adds its run."""
    from_bytes = runtime.Interpreter.from_bytes

    def opened(content: bytes, *rest: Any, **named: Any) -> _Watched:
        runs.append(_Run(bytes(content)))
        return _Watched(from_bytes(content, *rest, **named), runs[-1])

    with mock.patch.object(runtime.Interpreter, "from_bytes", opened):
        yield


def of_one_operator(runs: Sequence[_Run]) -> list[tuple[str, str, _Run]]:
    """The finished runs of files with one operator, which they are named after, and its type."""
    found = []
    for run in runs:
        try:
            operators = operators_of("tflite", run.content)
        except RowforgeError:
            continue  # a file that tests have damaged
        if run.outputs and len(operators) == 1:
            found.append((operators[0].operator, operators[0].dtype, run))
    return found


def elsewhere(runs: Sequence[_Run], python: str) -> list[dict[str, Any]]:
    """What LiteRT says of each run, in order."""
    with tempfile.TemporaryDirectory() as folder:
        for number, run in enumerate(runs):
            (Path(folder) / f"{number}.tflite").write_bytes(run.content)
            arrays = {f"input{at}": array for at, array in run.inputs.items()}
            arrays |= {f"output{at}": array for at, array in run.outputs.items()}
            np.savez(Path(folder) / f"{number}.npz", **arrays)
        script = Path(__file__).with_name("litert.py")
        printed = subprocess.run(
            [python, str(script), folder], check=True, stdout=subprocess.PIPE, text=True
        ).stdout
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def summed(
    found: Sequence[tuple[str, str, _Run]], said: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """By operator and type: files, values, and by kind of kernels those that differ."""
    records: defaultdict[tuple[str, str], dict[str, Any]] = defaultdict(
        lambda: {"files": 0, "values": 0, **{kind: {} for kind in KERNELS}}
    )
    for (operator, dtype, run), answer in zip(found, said, strict=True):
        record = records[operator, dtype]
        record["files"] += 1
        record["values"] += sum(array.size for array in run.outputs.values())
        for kind in KERNELS:
            tally, result = record[kind], answer[kind]
            key = "differ" if isinstance(result, int) else "not run"
            if isinstance(result, str):
                tally["because"] = result
            if result:
                tally[key] = tally.get(key, 0) + 1
                tally["values"] = tally.get("values", 0) + (result if key == "differ" else 0)
    return [
        {"operator": operator, "type": dtype, **record}
        for (operator, dtype), record in sorted(records.items())
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.operators.pairs", description=__doc__)
    parser.add_argument("--litert", metavar="PYTHON", required=True, help="has ai-edge-litert")
    options = parser.parse_args(arguments)
    runs: list[_Run] = []
    with recorded(runs), tempfile.TemporaryDirectory() as base:
        given = ["-q", "-p", "no:cacheprovider", "--basetemp", f"{base}/tests", *TESTS]
        status = int(pytest.main(given))
    found = of_one_operator(runs)
    said = elsewhere([run for _, _, run in found], options.litert)
    records = summed(found, said)
    kept = {"command": COMMAND, "operators": records}
    ORACLES.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    write_page()
    print(f"{len(found)} files of {len(records)} operators and types")
    return conclude(
        [(status == 0, f"tests: pytest's status is {status}"), (bool(found), "no file compared")]
    )


if __name__ == "__main__":
    sys.exit(main())
