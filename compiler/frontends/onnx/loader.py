"""The ONNX front end: one file to one graph, operator by operator."""

from collections.abc import Callable, Mapping
from pathlib import Path

from compiler.frontends.onnx.model.blockers import Blockers
from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.layout import Layout
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.reader import RawInput, RawOnnxModel, read_onnx
from compiler.frontends.onnx.model.values import QUANTISE_REMEDY, Stored
from compiler.frontends.onnx.operators import binary as onnx_binary
from compiler.frontends.onnx.operators import extreme as onnx_extreme
from compiler.frontends.onnx.operators import functions as onnx_functions
from compiler.frontends.onnx.operators import join as onnx_join
from compiler.frontends.onnx.operators import normalise as onnx_normalise
from compiler.frontends.onnx.operators import reduce as onnx_reduce
from compiler.frontends.onnx.operators import select as onnx_select
from compiler.frontends.onnx.operators import selection as onnx_selection
from compiler.frontends.onnx.operators.constants import fold_constant
from compiler.frontends.onnx.placement import finish as onnx_finish
from compiler.frontends.onnx.placement import float as onnx_float
from compiler.frontends.onnx.placement import qdq as onnx_qdq
from compiler.frontends.onnx.placement import qoperator as onnx_qoperator
from compiler.ir.graph import Graph
from compiler.ir.ops import Array
from compiler.ir.refusals import located
from compiler.ir.remedies import (
    TWO_ACTIVATIONS,
    TWO_ACTIVATIONS_REMEDY,
    UNKNOWN,
    onnx_remedy,
)
from hw.arch.errors import RowforgeError

_Convert = Callable[[OnnxBuilder, RawNode], None]

# Operators on integers, or between integers and floats: converted where they stand.
_EAGER: dict[str, _Convert] = {
    "QuantizeLinear": onnx_qdq.convert_quantise,
    "DequantizeLinear": onnx_float.convert_dequantise,
    "DynamicQuantizeLinear": onnx_float.convert_dynamic,
    "Cast": onnx_float.convert_cast,
    "QLinearConv": onnx_qoperator.convert_qlinear_conv,
    "QLinearMatMul": onnx_qoperator.convert_qlinear_matmul,
    "QGemm": onnx_qoperator.convert_qgemm,
    "QLinearAdd": onnx_binary.convert_qlinear,
    "QLinearMul": onnx_binary.convert_qlinear,
    "QLinearAveragePool": onnx_qoperator.convert_qlinear_pool,
    "QLinearGlobalAveragePool": onnx_qoperator.convert_qlinear_pool,
    "QLinearSigmoid": onnx_functions.convert_qlinear_sigmoid,
    "QLinearLeakyRelu": onnx_functions.convert_qlinear_leaky_relu,
    "QLinearWhere": onnx_extreme.convert_qlinear_where,
    "QLinearSoftmax": onnx_qoperator.convert_qlinear_softmax,
    "QLinearConcat": onnx_qoperator.convert_qlinear_concat,
    "ConvInteger": onnx_qoperator.convert_integer,
    "MatMulInteger": onnx_qoperator.convert_integer,
}

# Operators on floats or integers: on floats they wait for whoever reads them.
_EITHER: dict[str, _Convert] = {
    "MaxPool": onnx_select.convert_max,
    "GlobalMaxPool": onnx_select.convert_max,
    "AveragePool": onnx_float.convert_average,
    "GlobalAveragePool": onnx_float.convert_average,
    "ReduceMean": onnx_float.convert_average,
    "ReduceSum": onnx_reduce.convert_sum,
    **dict.fromkeys(onnx_reduce.EXTREMES, onnx_reduce.convert_extreme),
    **dict.fromkeys(onnx_reduce.PLACES, onnx_reduce.convert_place),
    **dict.fromkeys(onnx_extreme.EXTREMES, onnx_extreme.convert_extreme),
    "Where": onnx_extreme.convert_where,
    "Add": onnx_float.convert_arithmetic,
    "Sub": onnx_float.convert_arithmetic,
    "Mul": onnx_float.convert_arithmetic,
    "Div": onnx_float.convert_arithmetic,
    "Relu": onnx_float.convert_clip,
    "Clip": onnx_float.convert_clip,
    "PRelu": onnx_functions.convert_prelu,
    **dict.fromkeys(onnx_functions.OF_ONE, onnx_functions.convert_function),
    **dict.fromkeys(onnx_selection.SELECTING, onnx_selection.convert_selection),
    "Softmax": onnx_float.convert_softmax,
    "Pad": onnx_join.convert_pad,
    "Concat": onnx_join.convert_concat,
    **dict.fromkeys(onnx_select.RELABELLING, onnx_select.convert_relabel),
}

_INTEGER_FORMS: dict[str, Callable[[OnnxBuilder, RawNode, str | None], Stored | None]] = {
    "MaxPool": onnx_select.pool_stored,
    "GlobalMaxPool": onnx_select.pool_stored,
    "Relu": onnx_select.relu_stored,
    "Pad": onnx_join.pad_stored,
    **dict.fromkeys(onnx_reduce.EXTREMES, onnx_reduce.extreme_stored),
    **dict.fromkeys(onnx_extreme.EXTREMES, onnx_extreme.extreme_stored),
    "Where": onnx_extreme.where_stored,
    "Concat": onnx_join.concat_stored,
    **dict.fromkeys(onnx_selection.SELECTING, onnx_selection.selection_stored),
    **dict.fromkeys(onnx_select.RELABELLING, onnx_select.relabel_stored),
}

_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization")
# Those of them that may stand apart from a product, on floats that exist.
_ALONE: dict[str, _Convert] = {"BatchNormalization": onnx_normalise.convert_normalisation}
SUPPORTED = frozenset({*_EAGER, *_EITHER, *_PRODUCTS})
WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_KEEPS_LAYOUT = (
    "QuantizeLinear",
    "DequantizeLinear",
    "Cast",
    "Relu",
    "Clip",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pad",
    "Identity",
    "BatchNormalization",
    "QLinearAdd",
    "QLinearMul",
    "QLinearSigmoid",
    "QLinearLeakyRelu",
    "PRelu",
    *onnx_functions.OF_ONE,
    *onnx_selection.SELECTING,
)
_KEEP_SHAPE = frozenset(
    {*onnx_functions.OF_ONE, "Relu", "Clip", "PRelu", "Identity", "Dropout", "Softmax"}
)
_WINDOWED = (
    "Conv",
    "QLinearConv",
    "ConvInteger",
    "ConvTranspose",
    "MaxPool",
    "AveragePool",
    "GlobalMaxPool",
    "GlobalAveragePool",
    "QLinearAveragePool",
    "QLinearGlobalAveragePool",
)


def load_onnx(path: str | Path, constants: Mapping[str, Array] | None = None) -> Graph:
    """Reads a `.onnx` file into a graph whose rounding is ORT.

    Tensors keep their names as keys. `constants` fixes inputs of the model by name, as if they
    were initializers. An unknown batch is taken as 1. Raises RowforgeError, naming the file, for a
    damaged file or operators that cannot run, all of them at once.
    """
    path = Path(path)
    raw = read_onnx(path)
    try:
        return _build(raw, path.stem, dict(constants or {}))
    except RowforgeError as error:
        raise located(path, error) from error


def _build(raw: RawOnnxModel, name: str, constants: dict[str, Array]) -> Graph:
    builder = OnnxBuilder(
        raw,
        materialisers={**_EITHER, **_ALONE},
        integer_forms=_INTEGER_FORMS,
        finisher=onnx_finish.finisher,
        keep_shape=_KEEP_SHAPE,
    )
    builder.constants.update(constants)
    inputs = [value for value in raw.inputs if value.name not in constants]
    windowed = _windowed_inputs(raw)
    for value in inputs:
        shape = fixed_shape(value)
        builder.check_input(value, shape)
        layout = Layout.channels_last(shape) if value.name in windowed else Layout.plain(shape)
        builder.declare(value.name, layout, value.dtype)
    blockers = Blockers(raw)
    _refuse_float(builder, blockers)
    for node in raw.nodes:
        with blockers.noted(node):
            if blockers.reach(node):
                _check_dependent(builder, node, blockers)
            else:
                for part in onnx_selection.parts_of(node):
                    _convert(builder, part)
    for output in raw.outputs:
        if output in builder.constants:
            raise RowforgeError(f"its output {output!r} is a constant: there is nothing to run")
        writer = _writer(raw, output)
        if not blockers.reach(writer):
            with blockers.noted(writer):
                builder.activation_named(writer, output)
    blockers.raise_any()
    return builder.graph(name, tuple(value.name for value in inputs), raw.outputs)


def _refuse_float(builder: OnnxBuilder, blockers: Blockers) -> None:
    """A model without a trace of quantisation is refused at its first product, for all of them."""
    products = [node for node in builder.raw.nodes if node.op_type in _PRODUCTS]
    if products and not any(node.op_type in _EAGER for node in builder.raw.nodes):
        with blockers.noted(products[0]):
            _refuse_product(products[0])
        for node in products:
            blockers.give_up(node)


def _refuse_product(node: RawNode) -> None:
    node.refuse("the model computes in floating point", QUANTISE_REMEDY)


def _convert(builder: OnnxBuilder, node: RawNode) -> None:
    if node.index in builder.served:
        return
    sourceless = node.op_type != "Constant" and not any(node.inputs)
    if sourceless or not node.outputs or not node.outputs[0]:
        builder.refuse(node, "it has no input or output", "export the model again")
    if fold_constant(builder, node):
        return
    if node.op_type in _EAGER:
        _EAGER[node.op_type](builder, node)
        return
    if node.op_type not in SUPPORTED:
        builder.refuse(node, UNKNOWN, onnx_remedy(node.op_type))
    values = node.inputs[1:2] if node.op_type == "Where" else node.inputs[:1]
    known = builder.activations.get(values[0]) if values else None
    integers = known is not None and known.dtype != "float32"
    several = sum(bool(name) for name in node.outputs) > 1
    if node.op_type in _EITHER and (integers or several):
        _EITHER[node.op_type](builder, node)
        return
    builder.pending[node.outputs[0]] = node


def _check_dependent(builder: OnnxBuilder, node: RawNode, blockers: Blockers) -> None:
    """Refuses what could not run whatever its inputs, which nothing computes, turn out to be."""
    if any(name in blockers.static for name in node.outputs):
        return  # shape arithmetic, which is known once the shapes are
    if node.op_type not in SUPPORTED:
        builder.refuse(node, UNKNOWN, onnx_remedy(node.op_type))
    if node.op_type in WEIGHTED and builder.name_at(node, 1, "weights") not in blockers.static:
        builder.refuse(node, TWO_ACTIVATIONS, TWO_ACTIVATIONS_REMEDY)


def _writer(raw: RawOnnxModel, name: str) -> RawNode:
    for node in raw.nodes:
        if name in node.outputs:
            return node
    raise RowforgeError(f"its output {name!r} is one of its inputs: there is nothing to run")


def fixed_shape(value: RawInput) -> tuple[int, ...]:
    """The input's shape; an unknown batch is 1."""
    for axis, size in enumerate(value.shape):
        if size is None and axis > 0:
            raise RowforgeError(
                f"its input {value.name!r} has an unknown size on axis {axis}; export the model "
                f"with a fixed shape (only the batch may be unknown)"
            )
    return tuple(1 if size is None else size for size in value.shape)


def _windowed_inputs(raw: RawOnnxModel) -> set[str]:
    """Inputs that reach a convolution or pool in their own layout: they are stored as images."""
    origin = {value.name: value.name for value in raw.inputs}
    found: set[str] = set()
    for node in raw.nodes:
        start = origin.get(node.inputs[0]) if node.inputs else None
        if start is None:
            continue
        if node.op_type in _WINDOWED:
            found.add(start)
        elif node.op_type in _KEEPS_LAYOUT and node.outputs:
            origin[node.outputs[0]] = start
    return found
