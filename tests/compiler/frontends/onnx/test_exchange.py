"""Which operand of a QLinearAdd ONNX Runtime takes first, by the shapes of both."""

import numpy as np
import pytest

from compiler.frontends.onnx.operators.binary import _exchanged
from numerics.host.ort.arithmetic import add_qlinear
from tests.support.onnx.models import ModelMaker, oracle

TELLING = 4  # draws for each pair of shapes in which the order changes the result
DRAWS = 400

SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((), ()),
    ((), (7,)),
    ((1,), (1,)),
    ((1,), (7,)),
    ((1,), (5, 1)),
    ((), (5, 1)),
    ((7,), (5, 7)),
    ((1,), (5, 7)),
    ((5, 1), (5, 7)),
    ((5, 1), (5, 1)),
    ((1, 1), (6, 1)),
    ((1, 5, 1), (2, 5, 1)),
    ((5, 1), (2, 5, 1)),
    ((5, 1, 1), (2, 5, 3, 3)),
    ((5, 1, 1), (2, 5, 1, 1)),
    ((1,), (2, 5, 1, 1)),
    ((1, 1, 1, 1), (2, 5, 1, 1)),
    ((3, 1, 4), (3, 5, 4)),
    ((3, 1, 1), (3, 5, 1)),
]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("pair", SHAPES)
def test_the_order_of_a_sum(pair: tuple[tuple[int, ...], tuple[int, ...]], turned: bool) -> None:
    shapes = pair[::-1] if turned else pair
    rng, told = np.random.default_rng(8), 0
    for _ in range(DRAWS):
        a, b = (rng.integers(0, 256, shape).astype(np.uint8) for shape in shapes)
        zeros = [int(zero) for zero in rng.integers(0, 256, 3)]
        first = np.float32(10.0 ** rng.uniform(-3, 1))
        second = np.float32(first * 2.0 ** rng.uniform(-5, 5))
        real = abs(
            float(first) * (float(a.flat[0]) - zeros[0])
            + float(second) * (float(b.flat[0]) - zeros[1])
        )
        output = np.float32((real or 1.0) / (rng.integers(0, 128) + 0.5))
        results = [
            add_qlinear(
                a,
                b,
                operator="Add",
                scales=(float(first), float(second)),
                zero_points=(zeros[0], zeros[1]),
                scale=float(output),
                zero_point=zeros[2],
                low=0,
                high=255,
                dtype="uint8",
                exchanged=exchanged,
            )
            for exchanged in (False, True)
        ]
        if np.array_equal(*results):
            continue
        told += 1
        m = ModelMaker()
        inputs = [m.input("a", shapes[0], "uint8"), *m.scale(float(first), zeros[0], "uint8")]
        inputs += [m.input("b", shapes[1], "uint8"), *m.scale(float(second), zeros[1], "uint8")]
        inputs += m.scale(float(output), zeros[2], "uint8")
        model = m.model(m.op("QLinearAdd", *inputs, domain="com.microsoft"))
        (expected,) = oracle(model, {"a": a, "b": b}, optimised=False)
        np.testing.assert_array_equal(results[_exchanged(*shapes)], expected)
        if told == TELLING:
            return
    raise AssertionError(f"only {told} draws of {shapes} tell the orders apart")
