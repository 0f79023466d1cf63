"""Random `.onnx` files, and ONNX Runtime as their oracle."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime

from compiler.ir.graph import Graph
from rowforge.configs import preset
from tests.campaigns.fuzz_graph.case import Array, Case, Format
from tests.campaigns.fuzz_graph.onnx import functions
from tests.campaigns.fuzz_graph.onnx.explain import accounted
from tests.campaigns.fuzz_graph.onnx.layers import OnnxLayers, Value
from tests.campaigns.fuzz_graph.onnx.placements import PLACEMENTS, WANTED_FORMS
from tests.campaigns.fuzz_graph.onnx.steps import STEPS, combined
from tests.support.onnx.layerwise import LayerFindings, by_layer
from tests.support.onnx.models import feeds_for, oracle

_STATE = onnxruntime.capi.onnxruntime_pybind11_state

WIDE_CONFIG = preset("tiny_16x8")
_MOST_STEPS = 16
_MOST_ELEMENTS = 4000  # of a value that further operators are put on
_SCALES = (1e-4, 1e3)  # of 8-bit tensors
_STEPS = {**STEPS, **functions.STEPS, **PLACEMENTS}


def make(seed: int, index: int) -> Case:
    """The graph `SEED:INDEX`: up to sixteen operators, residuals and joins between them."""
    layers = OnnxLayers(int(np.random.SeedSequence([seed, index]).generate_state(1)[0]))
    model = _Model(layers)
    for _ in range(int(layers.random.integers(1, _MOST_STEPS + 1))):
        model.step()
    return model.finished(f"{seed}:{index}")


class _Model:
    """A graph while it grows."""

    def __init__(self, layers: OnnxLayers) -> None:
        self.layers = layers
        self.live: list[Value] = []  # values that further operators may read
        self.ends: list[Value] = []  # those that nothing has read yet
        for _ in range(2 if layers.chance(0.25) else 1):
            self.live.append(layers.given(self._shape()))
        layers.note("graph", "several inputs" if len(self.live) > 1 else "one input")
        layers.note("graph", "16 bits" if layers.wide else "8 bits")
        layers.note("graph", "powers of two" if layers.exact else "any scales")
        self.given = len(self.live)

    def _shape(self) -> tuple[int, ...]:
        layers = self.layers
        rank = layers.one(2, 3, 4, 4, 4, 4)
        sizes = {2: [(1, 60)], 3: [(1, 9), (1, 20)], 4: [(1, 9), (2, 12), (2, 12)]}[rank]
        if layers.wide and layers.chance(0.6):  # sums of many products
            rank, sizes = layers.one((2, [(260, 900)]), (4, [(30, 60), (3, 7), (3, 7)]))
        batch = layers.one(1, 1, 1, 2)
        layers.note("shape", f"rank {rank}", "one item" if batch == 1 else "several items")
        return (batch, *(int(layers.random.integers(*limits)) for limits in sizes))

    def step(self) -> None:
        """Appends an operator, or two values that meet again."""
        low, high = (scale / self.layers.finer for scale in _SCALES)
        readable = [
            value
            for value in self.live
            if np.prod(value.shape) <= _MOST_ELEMENTS and low < value.q[0] < high
        ]
        layers = self.layers
        source = readable[int(layers.random.integers(len(readable)))]
        if layers.chance(0.7):
            source = readable[-1]
        if layers.chance(0.2) and self._join(source, readable):
            return
        kinds = list(_STEPS)
        weights = np.array([_STEPS[kind][0] for kind in kinds], dtype=float)
        for kind in layers.random.choice(kinds, 12, p=weights / weights.sum()):
            nodes, leaves = len(layers.m.nodes), len(layers.leaves)
            output = _STEPS[str(kind)][1](layers, source)
            if output is not None or len(layers.leaves) > leaves:
                self._written(output, source)
                return
            assert nodes == len(layers.m.nodes), f"{kind} left operators behind"

    def _join(self, source: Value, readable: Sequence[Value]) -> bool:
        others = [
            value
            for value in readable
            if value is not source and (value.shape, value.dtype) == (source.shape, source.dtype)
        ]
        if not others:
            return False
        other = others[int(self.layers.random.integers(len(others)))]
        self.layers.note("graph", "join")
        self._written(combined(self.layers, source, other), source, other)
        return True

    def _written(self, output: Value | None, *read: Value) -> None:
        self.ends = [value for value in self.ends if all(value is not other for other in read)]
        if output is not None:
            self.ends.append(output)
            self.live.append(output)

    def finished(self, label: str) -> Case:
        """The file: every end is an output, as integers or floats; now and then one in between."""
        layers = self.layers
        ends: list[Value | str] = [*self.ends, *layers.leaves]
        between = [value for value in self.live[self.given :] if value not in self.ends]
        if between and layers.chance(0.2):
            ends.append(between[int(layers.random.integers(len(between)))])
            layers.note("graph", "output in the middle")
        if not ends:
            ends.append(_last_resort(layers, self.live[0]))
        outputs = []
        for end in ends:
            name = end if isinstance(end, str) else self._output(end)
            if name not in outputs:
                outputs.append(name)
        layers.note("graph", "several outputs" if len(outputs) > 1 else "one output")
        model = layers.m.model(*outputs)
        arrays = tuple(feeds_for(model, layers.random).values())
        batched = tuple(
            np.resize(array, self.live[position].shape) for position, array in enumerate(arrays)
        )
        return Case(
            label,
            model.SerializeToString(),
            batched,
            frozenset(layers.features),
            config=WIDE_CONFIG if layers.wide else None,
        )

    def _output(self, end: Value) -> str:
        if not end.stored or self.layers.chance(0.15):
            self.layers.note("graph", "float32 output")
            return self.layers.real(end)
        return end.stored


def _last_resort(layers: OnnxLayers, source: Value) -> Value:
    """Something for a graph in which nothing fitted."""
    q = layers.quantisation(0.05 / layers.finer)
    return layers.rounded(layers.real(source), source.shape, q)


def unoptimised(content: bytes, inputs: Sequence[Array]) -> list[Array]:
    """Every output without graph optimisation: what Rowforge must give."""
    model = onnx.load_from_string(content)
    return oracle(model, _named(model, inputs), optimised=False)


def optimised(content: bytes, inputs: Sequence[Array]) -> list[Array] | str:
    """Every output with all optimisations, or why ONNX Runtime cannot run what it made."""
    model = onnx.load_from_string(content)
    try:
        return oracle(model, _named(model, inputs), optimised=True)
    except (_STATE.NotImplemented, _STATE.Fail) as error:
        return " ".join(str(error).split())


def layers(graph: Graph, content: bytes, inputs: Sequence[Array]) -> LayerFindings:
    """Every tensor, each layer on ONNX Runtime's own operands."""
    model = onnx.load_from_string(content)
    return by_layer(graph, model, _named(model, inputs), accounted)


def _named(model: onnx.ModelProto, inputs: Sequence[Array]) -> dict[str, Array]:
    names = [value.name for value in model.graph.input]
    return dict(zip(names, inputs, strict=True))


WANTED: dict[str, tuple[str, ...]] = {
    "operator": (
        *("Conv", "QLinearConv", "ConvInteger", "BatchNormalization"),
        *("Gemm", "MatMul", "QGemm", "QLinearMatMul", "MatMulInteger", "Cast"),
        *("MaxPool", "GlobalMaxPool", "AveragePool", "QLinearAveragePool"),
        *("GlobalAveragePool", "QLinearGlobalAveragePool", "ReduceMean"),
        *("Add", "Mul", "Sub", "QLinearAdd", "QLinearMul", "Relu", "Clip", "QuantizeLinear"),
        *("Pad", "Concat", "QLinearConcat", "Reshape", "Flatten", "Transpose"),
        *("Squeeze", "Unsqueeze", "Identity", "Dropout", "Softmax", "QLinearSoftmax"),
        *("Sigmoid", "HardSigmoid", "HardSwish", "LeakyRelu", "PRelu", "Tanh", "Exp", "Erf"),
        *("Sqrt", "Neg", "Abs", "Floor", "Reciprocal", "QLinearSigmoid", "QLinearLeakyRelu"),
        *("Slice", "Split", "Gather", "Tile", "Expand", "DepthToSpace", "SpaceToDepth", "Resize"),
        *("ReduceSum", "ReduceMax", "ReduceMin", "ArgMax", "ArgMin", "Min", "Max", "Div"),
        "ConvTranspose",
    ),
    "attribute": (
        *("1-D window", "2-D window", "rectangular window", "stride > 1", "dilation"),
        *("uneven pads", "auto_pad NOTSET", "auto_pad SAME_UPPER", "auto_pad SAME_LOWER"),
        *("auto_pad VALID", "groups", "depthwise", "depth multiplier", "float bias"),
        *("bias added", "activation none", "activation Relu", "activation Clip"),
        *("transA", "transB", "alpha", "a matrix an item"),
        *("ceil_mode", "count_include_pad", "pool dilation", "pool auto_pad NOTSET"),
        *("pool auto_pad SAME_UPPER", "pool auto_pad SAME_LOWER", "pool auto_pad VALID"),
        *("keepdims", "no keepdims", "one tensor twice", "constant operand"),
        *("broadcast constant", "operands turned", "integer pad", "axis -1", "axis -2"),
        *("axis -3", "sizes given", "size -1", "channels-last", "a transposed form"),
        *("nearest values", "linear interpolation", "a gate"),
    ),
    "weights": ("zero filters", "zero input channels"),
    "quantisation": (
        *("int8 activations", "uint8 activations", "int8 weights", "uint8 weights"),
        *("int16 activations", "uint16 activations"),
        *("zero point lowest", "zero point highest", "zero point 0", "zero point other"),
        *("scale a channel", "scale a tensor", "change of type"),
    ),
    "shape": ("rank 2", "rank 3", "rank 4", "one item", "several items"),
    "graph": (
        *("powers of two", "any scales", "one input", "several inputs", "one output"),
        *("8 bits", "16 bits", "sums beyond 32 bits"),
        *("several outputs", "join", "output in the middle", "float32 input", "float32 output"),
        *("no rounding between operators", "float32 sums that round"),
    ),
    "form": WANTED_FORMS,
}

ONNX = Format(".onnx", make, unoptimised, WANTED, other_level=optimised, layers=layers)
