"""What ONNX Runtime computes otherwise on processors that lack some instructions.

Of products of uint8 and int8 it adds pairs in 16 bits, which saturate, where there is no VNNI (its
option for exact sums acts in optimised graphs alone). Its exponentials are added in the lanes of
the widest vectors that there are, in another order without AVX-512; see `numerics.mlas`.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

PRODUCTS = ("Gemm", "MatMul", "Conv")
"""Parts of the names of operators that multiply and add."""


@cache
def exact_products() -> bool:
    """Whether sums of products of 8 bits are exact here."""
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, (1, 64))
    w = helper.make_tensor_value_info("w", TensorProto.INT8, (64, 16))
    y = helper.make_tensor_value_info("y", TensorProto.INT32, (1, 16))
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])], "g", [x, w], [y]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = {"x": np.full((1, 64), 255, np.uint8), "w": np.full((64, 16), 127, np.int8)}
    (found,) = session.run(None, feeds)
    return bool((found == 64 * 255 * 127).all())


@cache
def wide_lanes() -> bool:
    """Whether there are vectors of 512 bits; where the kernel says nothing, no."""
    try:
        return "avx512f" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def need(condition: Callable[[], bool]) -> None:
    """Skip the test on a processor without `exact_products` or `wide_lanes`."""
    if not condition():
        pytest.skip(f"ONNX Runtime is not exact on this processor: no {condition.__name__}")


def need_for(name: str) -> None:
    """The same for what a case named so compares."""
    if any(part in name for part in PRODUCTS):
        need(exact_products)
    if "Softmax" in name:
        need(wide_lanes)
