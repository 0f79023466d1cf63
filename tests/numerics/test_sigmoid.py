"""LOGISTIC and TANH of every 16-bit number, by the kernels of TensorFlow Lite Micro."""

import numpy as np
import pytest

from numerics.sigmoid import logistic_short, tanh_short
from tests.support.tflite.layers import tflm_run
from tests.support.tflite.writer import ModelWriter

EVERY = np.arange(-(1 << 15), 1 << 15).astype(np.int16).reshape(1, -1)


def by_kernel(kind: str, power: int) -> np.ndarray:
    writer = ModelWriter()
    x = writer.tensor("x", EVERY.shape, "int16", scale=2.0**power, zero_point=0)
    y = writer.tensor("y", EVERY.shape, "int16", scale=2.0**-15, zero_point=0)
    writer.operator(kind, [x], y)
    return tflm_run(writer.finish([x], [y]), EVERY)


def test_every_logistic() -> None:
    np.testing.assert_array_equal(logistic_short(EVERY), by_kernel("LOGISTIC", -12))


@pytest.mark.parametrize("power", [-15, -13, -12, -9])
def test_every_tanh(power: int) -> None:
    ours, kernel = tanh_short(EVERY, power), by_kernel("TANH", power)
    np.testing.assert_array_equal(ours, kernel)
