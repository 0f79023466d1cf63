"""CMSIS-NN's single-operator test vectors as graph nodes with their inputs and expected output."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compiler.ir.ops import Add, Conv, Node, Pool, PoolKind
from numerics.quantisation import Requant, RoundingRule

VECTORS = (
    "add",
    *(f"avgpooling_{n}" for n in (1, 2, 4, 5)),
    *(f"conv_1_x_n_{n}" for n in (1, 2, 4, 5, 7, 8)),
    *("conv_2x2_dilation", "conv_2x2_dilation_5x5_input", "conv_3", "conv_3x2_dilation"),
    *("conv_4", "conv_5", "conv_out_activation"),
    *("depthwise_2", "depthwise_eq_in_out_ch", "depthwise_kernel_3x3", "depthwise_mult_batches"),
    *("depthwise_null_bias_0", "depthwise_out_activation", "depthwise_sub_block"),
    *("fc_per_ch", "fully_connected", "fully_connected_mve_1", "fully_connected_null_bias_0"),
    *("fully_connected_w_zp", "grouped_conv", "grouped_conv_2", "grouped_conv_3"),
    *("in_ch_one_out_ch_larger_one", "kernel1x1", "kernel1x1_stride_x_y"),
    *("kernel1x1_stride_x_y_1", "maxpooling", "maxpooling_1", "maxpooling_3", "maxpooling_4"),
    *("maxpooling_6", "maxpooling_7", "stride2pad1"),
)


@dataclass(frozen=True, eq=False)
class Vector:
    """A node, its int8 inputs and the flat expected output, batch first."""

    node: Node
    inputs: list[np.ndarray]
    expected: np.ndarray


def load_vector(path: Path) -> Vector:
    """Reads one file; the kind of operator follows from its name and parameters."""
    file = np.load(path)
    parameters = json.loads(str(file["params"]))
    expected = file["output_ref" if "output_ref" in file.files else "output"].astype(np.int8)
    x = file["input"].astype(np.int8)
    if path.stem == "add":
        operands = [file[key].astype(np.int8) for key in ("input1", "input2")]
        return Vector(_add(parameters), operands, expected)
    if "pooling" in path.stem:
        return Vector(_pool(path.stem, parameters, x.size), [x], expected)
    if "ACCUMULATION_DEPTH" in parameters:
        return Vector(_fully_connected(parameters, file), [x], expected)
    return Vector(_conv(parameters, file), [x], expected)


def _names(op: str, inputs: int = 1) -> dict[str, Any]:
    keys = tuple(f"input{i}" for i in range(inputs))
    return {"name": op, "op": op, "inputs": keys, "output": "output"}


def _clamp(p: dict[str, Any]) -> dict[str, Any]:
    return {"low": p["OUT_ACTIVATION_MIN"], "high": p["OUT_ACTIVATION_MAX"], "dtype": "int8"}


def _add(p: dict[str, Any]) -> Add:
    # Multipliers of 1/2 for both inputs and 2^-20 for the sum: equal scales, the output's double.
    return Add(
        **_names("ADD", 2),
        scales=(1.0, 1.0),
        zero_points=(-p["INPUT1_OFFSET"], -p["INPUT2_OFFSET"]),
        output_scale=2.0,
        output_zero_point=p["OUTPUT_OFFSET"],
        **_clamp(p),
    )


def _pads(p: dict[str, Any], window: tuple[int, int], dilation: tuple[int, int]) -> Any:
    """Top and left are given; bottom and right follow from the output's size."""
    after = []
    for axis, size, taps, spread in zip("YX", "HW", window, dilation, strict=True):
        reach = (p[f"OUTPUT_{size}"] - 1) * p[f"STRIDE_{axis}"] + (taps - 1) * spread + 1
        after.append(max(0, reach - p[f"INPUT_{size}"] - p[f"PAD_{axis}"]))
    return p["PAD_Y"], p["PAD_X"], *after


def _pool(name: str, p: dict[str, Any], elements: int) -> Pool:
    window = (p["FILTER_Y"], p["FILTER_X"])
    image = (p["INPUT_H"], p["INPUT_W"], p["IN_CH"])
    return Pool(
        **_names("POOL"),
        image=image,
        batch=elements // int(np.prod(image)),  # some files name a batch that their data exceed
        kind=PoolKind.MAX if name.startswith("max") else PoolKind.AVERAGE,
        window=window,
        stride=(p["STRIDE_Y"], p["STRIDE_X"]),
        pad=_pads(p, window, (1, 1)),
        **_clamp(p),
    )


def _stage(p: dict[str, Any], multiplier: np.ndarray, shift: np.ndarray) -> Requant:
    return Requant(
        scale=multiplier.astype(np.float64) * 2.0 ** (shift.astype(np.float64) - 31),
        rounding=RoundingRule.TFLM,
        zero_point=p["OUTPUT_OFFSET"],
        **_clamp(p),
    )


def _fully_connected(p: dict[str, Any], file: Any) -> Conv:
    M, K = p["OUT_CH"], p["ACCUMULATION_DEPTH"]
    if "OUTPUT_MULTIPLIER" in p:
        pair = np.asarray([p["OUTPUT_MULTIPLIER"]]), np.asarray([p["OUTPUT_SHIFT"]])
    else:
        pair = file["output_multiplier"], file["output_shift"]
    bias = next((file[key] for key in ("biases", "bias") if key in file.files), np.zeros(M))
    return Conv(
        **_names("FULLY_CONNECTED"),
        image=(p["INPUT_BATCHES"], 1, K),
        weights=file["weights"].astype(np.int8).reshape(M, 1, 1, K),
        weight_zero_point=np.asarray([-p.get("FILTER_OFFSET", 0)]),
        bias=bias.astype(np.int64),
        input_zero_point=-p["INPUT_OFFSET"],
        stage=_stage(p, *pair),
    )


def _conv(p: dict[str, Any], file: Any) -> Conv:
    window = (p["FILTER_Y"], p["FILTER_X"])
    dilation = (p.get("DILATION_Y", 1), p.get("DILATION_X", 1))
    M, C = p["OUT_CH"], p["IN_CH"]
    stored = file["weights"].astype(np.int8)
    if "CH_MULT" in p:
        groups, weights = C, stored.reshape(*window, M, 1).transpose(2, 0, 1, 3)
    else:
        groups = C // p.get("FILTER_CH", C)
        weights = stored.reshape(M, *window, C // groups)
    return Conv(
        **_names("CONV"),
        image=(p["INPUT_H"], p["INPUT_W"], C),
        batch=p["INPUT_BATCHES"],
        weights=np.ascontiguousarray(weights),
        weight_zero_point=np.zeros(1, dtype=np.int64),
        bias=file["biases"].astype(np.int64) if "biases" in file.files else np.zeros(M, np.int64),
        input_zero_point=-p["INPUT_OFFSET"],
        stride=(p["STRIDE_Y"], p["STRIDE_X"]),
        pad=_pads(p, window, dilation),
        dilation=dilation,
        groups=groups,
        stage=_stage(p, file["output_mult"], file["output_shift"]),
    )
