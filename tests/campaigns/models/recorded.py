"""Recorded tensors of TensorFlow Lite Micro, and what a run of the command must agree with."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.workloads import workload

Array = NDArray[Any]
FOLDERS = ("mlperf_tiny", "tflite")


@dataclass(frozen=True)
class Case:
    """A model and one file of inputs with their recorded tensors: `folder/model:inputs`."""

    folder: str
    model: str
    inputs: str

    @property
    def name(self) -> str:
        """How the case is named on the command line."""
        return f"{self.folder}/{self.model}:{self.inputs}"

    @property
    def path(self) -> Path:
        """The model."""
        return workload(f"{self.folder}/{self.model}.tflite")

    def recorded(self) -> dict[str, Array]:
        """Every array of the recording."""
        with np.load(workload(f"{self.folder}/goldens/{self.model}_{self.inputs}.npz")) as file:
            return {key: file[key] for key in file.files}


def every_case() -> list[Case]:
    """All recordings of all models in the folders; each must belong to a model."""
    cases = []
    for folder in FOLDERS:
        names = sorted((p.stem for p in workload(folder).glob("*.tflite")), key=len, reverse=True)
        for path in sorted(workload(f"{folder}/goldens").glob("*.npz")):
            model = next(name for name in names if path.stem.startswith(f"{name}_"))
            cases.append(Case(folder, model, path.stem.removeprefix(f"{model}_")))
        unused = set(names) - {case.model for case in cases}
        assert not unused, unused
    return cases


def case_named(name: str) -> Case:
    """The case `folder/model:inputs`."""
    model, _, inputs = name.partition(":")
    folder, _, stem = model.partition("/")
    return Case(folder, stem, inputs)


def batch_of(recorded: Mapping[str, Array]) -> Array:
    """Inputs with N in place of the model's batch of 1."""
    x = recorded["input"]
    return x.reshape(-1, *x.shape[2:])


def disagreements(
    recorded: Mapping[str, Array], outputs: Array, dump: Mapping[str, Array]
) -> list[str]:
    """Every key of a recording that a run contradicts; `outputs` may hold fewer inputs.

    `dump` holds the tensors of the first input by key. A tensor too large to be recorded has an
    empty array under its key; its digest is compared.
    """
    wrong = []
    count = len(outputs)
    if not _same(outputs, recorded["output_tflm"][:count]):
        wrong.append("output_tflm")
    for key, values in recorded.items():
        name = key.removeprefix("mid_")
        if name == key:
            continue
        if name not in dump:
            wrong.append(f"{key} (not in the dump)")
        elif values.size and not _same(dump[name], values):
            wrong.append(key)
    by_index = {key.rsplit("_", 1)[1]: array for key, array in dump.items()}
    for column, name in enumerate(recorded.get("digest_names", ())):
        if digest(by_index[name]) != recorded["digest16_tflm"][0, column]:
            wrong.append(f"digest of {name}")
    if "last_mac_output_tflm" in recorded:
        last = recorded["last_mac_output_tflm"][0]
        if not any(_same(array, last) for array in dump.values()):
            wrong.append("last_mac_output_tflm")
    return wrong


def digest(array: Array) -> str:
    """As recorded: the first 16 hexadecimal digits of the sha256 of the bytes."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def _same(actual: Array, expected: Array) -> bool:
    """Equal values of one type in one order; shapes may differ by axes of size 1."""
    return (
        actual.dtype == expected.dtype
        and actual.size == expected.size
        and np.array_equal(actual.reshape(expected.shape), expected)
    )
