"""The runtime's own host steps, bit for bit, on values from end to end of their types."""

import numpy as np
import pytest

from compiler.ir.host_steps import softmax_parameters
from hw.arch.program import Host
from numerics.host import run_host
from tests.support.c_runtime.running import host_program, run_c, same, tensor

SPECIAL = [0.0, -0.0, np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45, 0.5, -0.5, 1.5, 2.5, -2.5]
ROWS = 400


def floats(rng, scale):
    """Values around the edges between two integers, and far beyond the range."""
    halves = (rng.integers(-300, 300, ROWS * 8) + 0.5) * np.float32(scale)
    near = np.nextafter(halves.astype(np.float32), np.float32(rng.choice((-1e9, 1e9))))
    wide = rng.normal(size=ROWS * 8).astype(np.float32) * np.float32(scale * 1e4)
    return np.concatenate([np.array(SPECIAL, dtype=np.float32), halves, near, wide]).astype("f4")


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_quantise(dtype):
    rng = np.random.default_rng(3)
    scales = [2.0**-7, 0.003919653594493866, 17.759998321533203, 0.1, 1e-30]
    x = np.stack([floats(rng, scale) for scale in scales])
    zero_point = 128 if dtype == "uint8" else -3
    shape = (1, x.size)
    names = [f"y{i}" for i in range(len(scales))]
    steps, expected = [], {}
    for number, (name, scale) in enumerate(zip(names, scales, strict=True), start=1):
        attributes = {"scale": scale, "zero_point": zero_point, "dtype": dtype}
        steps.append(Host("quantise", (0,), (number,), attributes))
        with np.errstate(all="ignore"):
            (expected[name],) = run_host("quantise", [x.reshape(shape)], attributes)
    tensors = [tensor("x", shape, "float32"), *(tensor(name, shape, dtype) for name in names)]
    program = host_program(tensors, steps, range(1, 1 + len(names)))
    assert same(run_c(program, x.reshape(shape)), expected)
    assert all(len(np.unique(y)) > 100 for y in expected.values())


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32"])
def test_dequantise(dtype):
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(4)
    ends = [limits.min, limits.max, 0, 1]
    x = np.array([[*ends, *rng.integers(limits.min, limits.max, 3000)]], dtype=dtype)
    steps, expected = [], {}
    for number, scale in enumerate([0.00390625, 0.5021164417266846, 1 / 3, 1e-40], start=1):
        attributes = {"scale": scale, "zero_point": 5 if limits.min else 200}
        steps.append(Host("dequantise", (0,), (number,), attributes))
        (expected[f"y{number}"],) = run_host("dequantise", [x], attributes)
    tensors = [tensor("x", x.shape, dtype)]
    tensors += [tensor(name, x.shape, "float32") for name in expected]
    assert same(run_c(host_program(tensors, steps, range(1, 5)), x), expected)


@pytest.mark.parametrize(("dtype", "target"), [("int8", "int8"), ("uint8", "uint8")])
def test_softmax(dtype, target):
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(5)
    x = rng.integers(limits.min, limits.max + 1, (ROWS, 10))
    x[: ROWS // 4] = rng.integers(100, 120, (ROWS // 4, 10))
    x[0] = limits.min
    x[1] = limits.max
    x = x.astype(dtype)
    steps, expected = [], {}
    for number, scale in enumerate([0.0039, 0.05, 0.17185351252555847, 1.5, 40.0], start=1):
        attributes = {**softmax_parameters(scale, 1.0), "dtype": target}
        steps.append(Host("softmax", (0,), (number,), attributes))
        (expected[f"y{number}"],) = run_host("softmax", [x], attributes)
    tensors = [tensor("x", x.shape, dtype), *(tensor(n, x.shape, target) for n in expected)]
    assert same(run_c(host_program(tensors, steps, range(1, 6)), x), expected)


def test_softmax_of_long_rows_of_equal_values():
    x = np.full((1, 8191), 3, dtype=np.int8)
    x[0, ::7] = -90
    attributes = {**softmax_parameters(0.02, 1.0), "dtype": "int8"}
    tensors = [tensor("x", x.shape, "int8"), tensor("y", x.shape, "int8")]
    program = host_program(tensors, [Host("softmax", (0,), (1,), attributes)], (1,))
    (y,) = run_host("softmax", [x], attributes)
    assert same(run_c(program, x), {"y": y})


@pytest.mark.parametrize(
    ("shape", "name", "attributes", "target"),
    [
        ((1, 8192), "softmax", {**softmax_parameters(0.1, 1.0), "dtype": "int8"}, "int8"),
        ((1, 10), "softmax", {"multiplier": 1, "shift": 40, "least": -5, "dtype": "int8"}, "int8"),
        ((1, 10), "softmax", {"multiplier": 1, "shift": 4, "dtype": "int8"}, "int8"),
        ((1, 10), "softmax", {**softmax_parameters(0.1, 1.0), "dtype": "int16"}, "int16"),
        ((1, 10), "dequantise", {"scale": 0.5, "zero_point": 0}, "int8"),
        ((1, 10), "dequantise", {"scale": 0.5, "zero_point": 300}, "float32"),
        ((1, 10), "quantise", {"scale": 0.5, "zero_point": 0, "dtype": "int8"}, "int8"),
    ],
)
def test_a_step_that_it_cannot_compute_is_refused_at_load(shape, name, attributes, target):
    tensors = [tensor("x", shape, "int8"), tensor("y", shape, target)]
    program = host_program(tensors, [Host(name, (0,), (1,), attributes)], (1,))
    ran = run_c(program, np.zeros(shape, dtype=np.int8))
    assert ran.status == 8
    assert ran.said.strip().endswith(f"do not suit the host step {name}")


@pytest.mark.parametrize("name", ["softmax", "reshape"])
def test_tensors_of_two_sizes_are_refused_at_load(name):
    tensors = [tensor("x", (1, 8), "int8"), tensor("y", (1, 5), "int8")]
    attributes = {**softmax_parameters(0.1, 1.0), "dtype": "int8"}
    program = host_program(tensors, [Host(name, (0,), (1,), attributes)], (1,))
    assert run_c(program, np.zeros((1, 8), dtype=np.int8)).status == 8


def test_the_users_step_comes_before_the_runtimes():
    x = np.arange(10, dtype=np.int8)[None]
    tensors = [tensor("x", (1, 10), "int8"), tensor("y", (1, 10), "int8")]
    program = host_program(tensors, [Host("reshape", (0,), (1,), {"shape": (1, 10)})], (1,))
    assert same(run_c(program, x), {"y": x})
    assert run_c(program, x, hosted=("reshape",)).asked == ["reshape"]
