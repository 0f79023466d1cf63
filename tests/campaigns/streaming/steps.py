"""Consecutive steps of a streaming network on an engine: the outputs of each."""

import numpy as np
from numpy.typing import NDArray

from rowforge.running.compilation import Compiled
from rowforge.running.execution import run_program
from rowforge.running.targets import open_target
from sim.golden import run_batch
from tests.support.tflite.checking import tflm_steps

Array = NDArray[np.generic]


def by_interpreter(content: bytes, frames: Array) -> Array:
    """The first output by TensorFlow Lite Micro, whose one interpreter keeps the states."""
    return np.concatenate(tflm_steps(content, [[frame[np.newaxis]] for frame in frames]))


def by_golden(compiled: Compiled, frames: Array) -> Array:
    """The same by the golden model."""
    assert compiled.graph is not None
    return run_batch(compiled.graph, frames)[compiled.graph.outputs[0]]


def by_target(compiled: Compiled, frames: Array, target: str) -> Array:
    """The same by a target, a call of the driver for each step."""
    with open_target(target) as accelerator:
        accelerator.load(compiled.program)
        outputs = [accelerator.run(frames[i : i + 1]) for i in range(len(frames))]
    return np.concatenate(outputs)


def checked_layers(compiled: Compiled, frames: Array, target: str) -> int:
    """Layer outputs that equal the golden model's, all steps together; fails if one does not."""
    result = run_program(compiled, frames, target, check=True)
    assert result.difference is None, str(result.difference)
    return result.layers_checked
