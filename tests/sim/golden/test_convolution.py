"""Convolution accumulators against plain loops, and a whole layer against ONNX Runtime."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from compiler.ir.ops import Conv
from numerics.quantisation import Requant, RoundingRule, WindowStage
from sim.golden.convolution import conv_accumulate, convolve


def by_loops(
    x: np.ndarray,
    w: np.ndarray,
    zx: int,
    zw: np.ndarray,
    geometry: dict[str, Any],
    window: int,
) -> np.ndarray:
    """The definition, one product at a time."""
    (N, H, W, _), (M, R, S, C) = x.shape, w.shape
    (top, left, bottom, right), stride = geometry["pad"], geometry["stride"]
    dilation, groups = geometry["dilation"], geometry["groups"]
    E = (H + top + bottom - (R - 1) * dilation[0] - 1) // stride[0] + 1
    F = (W + left + right - (S - 1) * dilation[1] - 1) // stride[1] + 1
    out = np.zeros((N, E, F, M), dtype=object)
    for n, e, f, m, r, s, c in product(*map(range, (N, E, F, M, R, S, C))):
        y, z = e * stride[0] + r * dilation[0] - top, f * stride[1] + s * dilation[1] - left
        if 0 <= y < H and 0 <= z < W:
            channel = (m // (M // groups)) * C + c
            a = int(x[n, y, z, channel]) - zx
            out[n, e, f, m] += (a * (int(w[m, r, s, c]) - int(zw[m]))) >> window
    return out


def case(seed: int, dtype: str) -> tuple[np.ndarray, np.ndarray, int, np.ndarray, dict[str, Any]]:
    random = np.random.default_rng(seed)
    info = np.iinfo(dtype)

    def sizes(low: int, high: int) -> tuple[int, int]:
        return int(random.integers(low, high)), int(random.integers(low, high))

    groups = (1, 2, 3)[seed % 3]
    C, M = int(random.integers(1, 4)), groups * int(random.integers(1, 4))
    geometry = {
        "pad": (*sizes(0, 3), *sizes(0, 3)),
        "stride": sizes(1, 4),
        "dilation": sizes(1, 3),
        "groups": groups,
    }
    x = random.integers(info.min, info.max + 1, (2, *sizes(7, 10), C * groups)).astype(dtype)
    w = random.integers(info.min, info.max + 1, (M, *sizes(1, 4), C)).astype(dtype)
    small = dtype != "int16"
    zx = int(random.integers(info.min, info.max + 1)) if small else 0
    zw = random.integers(info.min, info.max + 1, M) if small else np.zeros(M, dtype=np.int64)
    return x, w, zx, zw, geometry


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
@pytest.mark.parametrize("seed", range(6))
def test_accumulators(seed: int, dtype: str) -> None:
    x, w, zx, zw, geometry = case(seed, dtype)
    windows = (0, 5, 16) if dtype == "int16" else (0,)
    for window in windows:
        expected = by_loops(x, w, zx, zw, geometry, window)
        actual = conv_accumulate(
            x, w, input_zero_point=zx, weight_zero_point=zw, window=window, **geometry
        )
        assert actual.tolist() == expected.tolist()


def test_psums_wrap_to_their_width() -> None:
    x, w, _, zw, geometry = case(3, "int16")
    exact = by_loops(x, w, 0, zw, geometry, 2)
    wrapped = conv_accumulate(x, w, window=2, psum_width=20, **geometry)
    assert wrapped.tolist() == ((exact + (1 << 19)) % (1 << 20) - (1 << 19)).tolist()
    assert np.any(wrapped != exact)


def test_sums_beyond_float64_stay_exact() -> None:
    x = np.full((1, 1, 1, 700), (1 << 24) + 1, dtype=np.int64)
    w = np.full((1, 1, 1, 700), (1 << 24) + 1, dtype=np.int64)
    assert conv_accumulate(x, w).item() == 700 * ((1 << 24) + 1) ** 2


def layer(stage: Requant | WindowStage, weights: np.ndarray, **fields: Any) -> Conv:
    M = weights.shape[0]
    defaults: dict[str, Any] = {
        "name": "conv",
        "op": "CONV",
        "inputs": ("x",),
        "output": "y",
        "weight_zero_point": np.zeros(1, dtype=np.int64),
        "bias": np.zeros(M, dtype=np.int64),
        "input_zero_point": 0,
    }
    return Conv(weights=weights, stage=stage, **{**defaults, **fields})


def test_sixteen_bit_layer() -> None:
    random = np.random.default_rng(5)
    x = random.integers(-(1 << 15), 1 << 15, (1, 6, 6, 3)).astype(np.int16)
    w = random.integers(-(1 << 15), 1 << 15, (4, 3, 3, 3)).astype(np.int16)
    bias = random.integers(-(1 << 15), 1 << 15, 4)
    node = layer(WindowStage(window=9, shift=6, low=0), w, image=(6, 6, 3), bias=bias)
    geometry = {"pad": (0, 0, 0, 0), "stride": (1, 1), "dilation": (1, 1), "groups": 1}
    psums = by_loops(x, w, 0, np.zeros(4, dtype=np.int64), geometry, 9)
    expected = np.clip((psums + bias + 32) // 64, 0, 32767)
    assert convolve(node, x).tolist() == expected.tolist()
    assert 0 < (expected == 32767).mean() < 1


@pytest.mark.parametrize("seed", range(8))
def test_a_layer_in_float_rounding_equals_onnx_runtime(seed: int) -> None:
    """QLinearConv with arbitrary scales, then with powers of two, where products tie."""
    helper = pytest.importorskip("onnx.helper")
    runtime = pytest.importorskip("onnxruntime")
    random = np.random.default_rng(seed)
    C, M, R = int(random.integers(1, 9)), int(random.integers(1, 9)), (1, 3)[seed % 2]
    x = random.integers(0, 256, (1, 12, 12, C)).astype(np.uint8)
    w = random.integers(-128, 128, (M, R, R, C)).astype(np.int8)
    bias = random.integers(-5000, 5000, M).astype(np.int32)
    x_scale, y_scale = (np.float32(random.uniform(0.01, 0.1)) for _ in range(2))
    w_scale = random.uniform(0.001, 0.02, M).astype(np.float32) / np.float32(np.sqrt(C) * R)
    if seed >= 4:
        x_scale, y_scale = np.float32(2.0**-4), np.float32(2.0**-5)
        w_scale = (2.0 ** random.integers(-10, -6, M)).astype(np.float32)
    zx, zy = int(random.integers(0, 256)), int(random.integers(-128, 128))
    initialisers = {
        "x_scale": x_scale,
        "x_zero": np.uint8(zx),
        "w": w.transpose(0, 3, 1, 2),
        "w_scale": w_scale,
        "w_zero": np.zeros(M, dtype=np.int8),
        "y_scale": y_scale,
        "y_zero": np.uint8(zy + 128),
        "b": bias,
    }
    model = _onnx_layer(helper, initialisers, C, M, R // 2)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    expected = session.run(None, {"x": x.transpose(0, 3, 1, 2)})[0].transpose(0, 2, 3, 1)
    node = layer(
        Requant(
            scale=((x_scale * w_scale) / y_scale).astype(np.float64),
            rounding=RoundingRule.ORT,
            zero_point=zy + 128,
            low=0,
            high=255,
            dtype="uint8",
        ),
        w,
        image=(12, 12, C),
        pad=(R // 2,) * 4,
        bias=bias.astype(np.int64),
        input_zero_point=zx,
    )
    np.testing.assert_array_equal(convolve(node, x), expected)


def _onnx_layer(helper: Any, initialisers: dict[str, Any], C: int, M: int, pad: int) -> Any:
    onnx = pytest.importorskip("onnx")
    names = ["x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero", "b"]
    uint8 = onnx.TensorProto.UINT8
    graph = helper.make_graph(
        [helper.make_node("QLinearConv", names, ["y"], pads=[pad] * 4)],
        "layer",
        [helper.make_tensor_value_info("x", uint8, [1, C, 12, 12])],
        [helper.make_tensor_value_info("y", uint8, [1, M, 12, 12])],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in initialisers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
