"""An input for a program where nobody gives one: `drawn_input`."""

import numpy as np

from hw.arch.program import Program, TensorSpec
from sw_driver.arrays import Array, Arrays


def drawn_input(program: Program) -> Arrays:
    """One input of values from the whole range of its type, the same every time."""
    rng = np.random.default_rng(0)
    specs = [program.tensors[index] for index in program.inputs]
    return {spec.name: _drawn(rng, spec) for spec in specs}


def _drawn(rng: np.random.Generator, spec: TensorSpec) -> Array:
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f":
        return rng.standard_normal(spec.shape).astype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, spec.shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, spec.shape, dtype=dtype, endpoint=True)
