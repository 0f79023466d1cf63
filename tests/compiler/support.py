"""Runs graphs through compiler, driver and executor, and makes random layers for that."""

from dataclasses import replace
from typing import Any

import numpy as np

from compiler.compile import compile_graph
from compiler.ir.graph import Graph, Quantisation, Tensor
from compiler.ir.ops import Add, Concat, Conv, Mul, Node, Pad, Pool, PoolKind, Rescale
from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from numerics.quantisation import Requant, RoundingRule, WindowStage
from sim.functional import FunctionalAccelerator
from sim.golden.run import run_graph
from sw_driver.runtime import RunOutcome, Runtime

_SCALE = Quantisation((0.05,), (0,))


def random_inputs(graph: Graph, rng: np.random.Generator) -> dict[str, Any]:
    """Inputs of a graph by name, over the whole range of their types."""
    arrays = {}
    for key in graph.inputs:
        tensor = graph.tensors[key]
        if tensor.dtype == "float32":
            values = rng.standard_normal(tensor.shape).astype(np.float32)
        else:
            info = np.iinfo(tensor.dtype)
            values = rng.integers(info.min, info.max, tensor.shape, endpoint=True)
        arrays[tensor.name] = tensor.in_model_layout(values.astype(tensor.dtype))
    return arrays


def check_graph(
    graph: Graph, config: Config, rng: np.random.Generator, **options: Any
) -> RunOutcome:
    """Compiles, executes and compares every tensor that the host gets with the golden model."""
    program = compile_graph(graph, config, CompileOptions(**options))
    inputs = random_inputs(graph, rng)
    outcome = Runtime(FunctionalAccelerator(config), config).run(program, inputs)
    golden = run_graph(graph, inputs, options.get("rounding"), psum_width=config.array.psum_width)
    for index, array in outcome.tensors.items():
        key = program.tensors[index].key
        if key in golden:
            np.testing.assert_array_equal(array.reshape(-1), golden[key].reshape(-1), err_msg=key)
    for index in program.outputs:
        assert index in outcome.tensors
    return outcome


def single(
    node: Node,
    shapes: dict[str, tuple[int, ...]],
    dtype: str,
    output: tuple[int, ...],
    output_dtype: str | None = None,
) -> Graph:
    """A graph of one node with inputs of these shapes."""
    tensors = {
        key: Tensor(name=key, key=key, shape=shape, dtype=dtype, quantisation=_SCALE)
        for key, shape in shapes.items()
    }
    tensors["y"] = Tensor(
        name="y", key="y", shape=output, dtype=output_dtype or dtype, quantisation=_SCALE
    )
    return Graph(name="g", tensors=tensors, nodes=(node,), inputs=tuple(shapes), outputs=("y",))


def conv_graph(
    rng: np.random.Generator,
    image: tuple[int, int, int],
    filters: int,
    taps: tuple[int, int],
    *,
    groups: int = 1,
    dtype: str = "int8",
    raw: bool = False,
    weight_zero: int = 0,
    **geometry: Any,
) -> Graph:
    """A convolution of random weights; `geometry` are fields of `Conv`."""
    wide = dtype == "int16"
    limit = 100 if wide else 128
    weights = rng.integers(-limit, limit, (filters, *taps, image[2] // groups))
    node = Conv(
        name="n",
        op="CONV",
        inputs=("x",),
        output="y",
        image=image,
        weights=weights.astype("int16" if wide else "int8"),
        weight_zero_point=np.array([weight_zero]),
        bias=rng.integers(-(1 << 12), 1 << 12, filters),
        input_zero_point=0 if wide else int(rng.integers(0, 100)),
        groups=groups,
        stage=WindowStage(window=3, shift=9) if wide else random_stage(rng, filters, dtype, raw),
        **geometry,
    )
    batch = node.batch
    output = (batch, *node.output_image)
    return single(node, {"x": (batch, *image)}, dtype, output, "int32" if raw else None)


def random_stage(rng: np.random.Generator, channels: int, dtype: str, raw: bool = False) -> Requant:
    """An output stage in a random mode."""
    if raw:
        return Requant.raw()
    info = np.iinfo(dtype)
    modes = (RoundingRule.TFLM, RoundingRule.ORT, RoundingRule.SINGLE)
    return Requant(
        scale=rng.uniform(1e-4, 1e-2, channels),
        rounding=modes[rng.integers(3)],
        zero_point=int(rng.integers(info.min, info.max)),
        low=int(info.min),
        high=int(info.max),
        dtype=dtype,
    )


def random_config(rng: np.random.Generator) -> Config:
    """A configuration from 1 x 1 PE upwards, spads from their minimum, tiny buffers included."""

    def one(*choices: int) -> int:
        return int(rng.choice(choices))

    while True:
        try:
            return Config.of(
                {
                    "array.rows": one(1, 2, 3, 4, 5, 6),
                    "array.cols": one(1, 2, 3, 4, 5, 7),
                    "array.data_width": one(8, 8, 8, 16),
                    "array.psum_width": one(24, 32, 40),
                    "pe.macs": one(1, 1, 2),
                    "pe.ifmap_spad": one(4, 8, 12, 20),
                    "pe.filter_spad": one(32, 64, 128, 224, 512),
                    "pe.psum_spad": one(4, 8, 16, 24),
                    "noc.ifmap": one(1, 2, 4),
                    "noc.filter": one(1, 2, 4, 8),
                    "noc.psum_in": one(1, 2, 4, 8),
                    "noc.psum_out": one(1, 2, 4, 8),
                    "buffer.banks": one(6, 8, 12, 25),
                    "buffer.depth": one(64, 128, 256, 512),
                    "buffer.width": one(32, 64, 128),
                    "pe.weight_zero_points": True,
                    "post.units": one(1, 1, 2, 4),
                    "post.channels": one(64, 512),
                    "control.row_patterns": one(2, 4, 16, 32),
                    "control.col_patterns": one(2, 8),
                }
            )
        except RowforgeError:
            continue


def random_layer(rng: np.random.Generator, config: Config) -> Graph:
    """A layer of a random kind and shape that suits the data width."""
    dtype = "int16" if config.array.data_width == 16 else str(rng.choice(["int8", "uint8"]))
    kinds = ["conv", "conv", "depthwise", "grouped", "dense"]
    if dtype != "int16":
        kinds += ["pool", "add", "mul", "rescale", "pad", "concat"]
    kind = str(rng.choice(kinds))
    while True:
        try:
            return _LAYERS.get(kind, _random_conv)(rng, config, kind, dtype)
        except RowforgeError:
            continue  # a window that does not fit its image


def _image(rng: np.random.Generator) -> tuple[int, int, int, int]:
    batch, height, width = int(rng.choice([1, 1, 2, 3])), *rng.integers(1, 13, 2).tolist()
    return batch, height, width, int(rng.integers(1, 36))


def _random_conv(rng: np.random.Generator, config: Config, kind: str, dtype: str) -> Graph:
    batch, height, width, channels = _image(rng)
    groups, filters = 1, int(rng.integers(1, 36))
    if kind == "depthwise":
        groups, filters = channels, channels * int(rng.integers(1, 4))
    elif kind == "grouped":
        groups = int(rng.integers(2, 5))
        channels, filters = (groups * int(n) for n in rng.integers(1, 9, 2))
    taps = (int(rng.choice([1, 2, 3, 5])), int(rng.choice([1, 2, 3, 5])))
    geometry: dict[str, Any] = {
        "batch": batch,
        "stride": (int(rng.integers(1, 4)), int(rng.integers(1, 5))),
        "dilation": (int(rng.choice([1, 1, 2, 3])), int(rng.choice([1, 1, 2, 3]))),
        "pad": tuple(int(n) for n in rng.integers(0, 3, 4)),
    }
    if kind == "dense":
        height = width = 1
        taps, channels, filters, geometry = (1, 1), int(rng.integers(1, 300)), 3 * filters, {}
    raw = dtype != "int16" and rng.random() < 0.15
    return conv_graph(
        rng,
        (height, width, channels),
        filters,
        taps,
        groups=groups,
        dtype=dtype,
        raw=raw,
        weight_zero=0 if dtype == "int16" else int(rng.integers(-20, 20)),
        **geometry,
    )


def _random_pool(rng: np.random.Generator, config: Config, kind: str, dtype: str) -> Graph:
    batch, height, width, channels = _image(rng)
    window = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    pad = [int(min(n, window[i % 2] - 1)) for i, n in enumerate(rng.integers(0, 3, 4))]
    info = np.iinfo(dtype)
    node = Pool(
        name="n",
        op="POOL",
        inputs=("x",),
        output="y",
        image=(height, width, channels),
        batch=batch,
        kind=PoolKind.MAX if rng.random() < 0.5 else PoolKind.AVERAGE,
        window=window,
        stride=(int(rng.integers(1, 4)), int(rng.integers(1, 4))),
        pad=(pad[0], pad[1], pad[2], pad[3]),
        low=int(info.min),
        high=int(info.max),
        dtype=dtype,
    )
    shape = (batch, height, width, channels)
    return single(node, {"x": shape}, dtype, (batch, *node.output_image))


def _random_elementwise(rng: np.random.Generator, config: Config, kind: str, dtype: str) -> Graph:
    shape = _image(rng)
    info = np.iinfo(dtype)
    zeros = rng.integers(info.min, info.max, 3).tolist()
    common: dict[str, Any] = {"name": "n", "op": kind.upper(), "output": "y"}
    if kind == "add":
        node: Node = Add(
            inputs=("x", "x2"),
            scales=(0.03, 0.05),
            zero_points=(zeros[0], zeros[1]),
            output_scale=0.06,
            output_zero_point=zeros[2],
            low=int(info.min),
            high=int(info.max),
            dtype=dtype,
            **common,
        )
    elif kind == "mul":
        stage = replace(random_stage(rng, 1, dtype), scale=np.array([0.01]))
        node = Mul(inputs=("x", "x2"), zero_points=(zeros[0], zeros[1]), stage=stage, **common)
    else:
        stage = replace(random_stage(rng, 1, dtype), scale=np.array([0.7]))
        node = Rescale(inputs=("x",), input_zero_point=zeros[0], stage=stage, **common)
    return single(node, dict.fromkeys(node.inputs, shape), dtype, shape)


def _random_pad(rng: np.random.Generator, config: Config, kind: str, dtype: str) -> Graph:
    shape = _image(rng)
    y, x = (tuple(int(n) for n in rng.integers(0, 4, 2)) for _ in range(2))
    pads = ((0, 0), (y[0], y[1]), (x[0], x[1]), (0, 0))
    value = int(rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max))
    node = Pad(name="n", op="PAD", inputs=("x",), output="y", pads=pads, value=value)
    output = tuple(size + sum(pair) for size, pair in zip(shape, pads, strict=True))
    return single(node, {"x": shape}, dtype, output)


def _random_concat(rng: np.random.Generator, config: Config, kind: str, dtype: str) -> Graph:
    axis = int(rng.integers(1, 4))
    first = list(_image(rng))
    if axis == 3:
        first[3] = config.lanes * int(rng.integers(1, 3))
    second = list(first)
    second[axis] = int(rng.integers(1, 9))
    output = list(first)
    output[axis] += second[axis]
    node = Concat(name="n", op="CONCAT", inputs=("x", "x2"), output="y", axis=axis)
    return single(node, {"x": tuple(first), "x2": tuple(second)}, dtype, tuple(output))


_LAYERS = {
    "pool": _random_pool,
    "add": _random_elementwise,
    "mul": _random_elementwise,
    "rescale": _random_elementwise,
    "pad": _random_pad,
    "concat": _random_concat,
}
