"""Functions of one float32 value in NumPy, bit for bit as ONNX Runtime computes them on a CPU.

A value is computed by itself, whatever its place in a tensor. Functions for which that does not
hold in ONNX Runtime (Elu, Softplus and others that Eigen computes in vectors and in a tail of
single values) are not here.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from numerics import mlas_functions
from numerics.registry import host_step

Floats = npt.NDArray[np.float32]

_HALF, _ONE = np.float32(0.5), np.float32(1.0)
_TANH_GELU = np.float32(0.7978845608028654), np.float32(0.035677408136300125)
_ROOT_OF_HALF = np.float32(0.7071067811865476)


def _hard_sigmoid(x: Floats, *, alpha: float, beta: float) -> Floats:
    line = x * np.float32(alpha) + np.float32(beta)
    return np.asarray(np.maximum(np.minimum(line, _ONE), np.float32(0.0)))


def _hard_swish(x: Floats) -> Floats:
    return x * _hard_sigmoid(x, alpha=1.0 / 6.0, beta=0.5)


def _leaky_relu(x: Floats, *, alpha: float) -> Floats:
    return np.where(x >= 0, x, x * np.float32(alpha))


def _thresholded(x: Floats, *, alpha: float) -> Floats:
    return np.where(x > np.float32(alpha), x, np.float32(0.0))


def _gelu(x: Floats) -> Floats:
    return _HALF * x * (mlas_functions.erf(x * _ROOT_OF_HALF) + _ONE)


def _gelu_by_tanh(x: Floats) -> Floats:
    first, third = _TANH_GELU
    return _HALF * x * (_ONE + mlas_functions.tanh(x * (first + third * x * x)))


def _quick_gelu(x: Floats, *, alpha: float) -> Floats:
    return x * mlas_functions.logistic(x * np.float32(alpha))


FUNCTIONS: dict[str, Callable[..., Floats]] = {
    "Sigmoid": mlas_functions.logistic,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "LeakyRelu": _leaky_relu,
    "ThresholdedRelu": _thresholded,
    "Tanh": mlas_functions.tanh,
    "Exp": mlas_functions.exponential,
    "Erf": mlas_functions.erf,
    "Gelu": _gelu,
    "Gelu by tanh": _gelu_by_tanh,
    "QuickGelu": _quick_gelu,
    "Sqrt": np.sqrt,
    "Reciprocal": partial(np.divide, _ONE),
    "Neg": np.negative,
    "Abs": np.abs,
    "Sign": np.sign,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.rint,
}


@host_step
def function_ort(x: Floats, *, kind: str, **constants: float) -> Floats:
    """One of `FUNCTIONS` of every value; `constants` are its attributes."""
    with np.errstate(all="ignore"):
        return np.asarray(FUNCTIONS[kind](x, **constants), dtype=np.float32)


@host_step
def multiply_add(x: Floats, factor: Floats, addend: Floats) -> Floats:
    """x * factor + addend, each rounded to float32; both broadcast to x."""
    with np.errstate(all="ignore"):
        return np.asarray(x * factor + addend)


@host_step
def prelu(x: Floats, slope: Floats) -> Floats:
    """x where it is at least 0, else x times a slope that broadcasts to it."""
    with np.errstate(all="ignore"):
        return np.asarray(np.where(x >= 0, x, x * slope))
