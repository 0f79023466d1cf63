"""A small writer of `.tflite` files, the mirror image of the front end's reader."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import tflite

_OPTIONS = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "ADD": "AddOptions",
    "MUL": "MulOptions",
    "MEAN": "ReducerOptions",
    "SOFTMAX": "SoftmaxOptions",
    "LOG_SOFTMAX": "LogSoftmaxOptions",
    "CONCATENATION": "ConcatenationOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "PACK": "PackOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "TRANSPOSE": "TransposeOptions",
    "SLICE": "SliceOptions",
    "HARD_SWISH": "HardSwishOptions",
    "PAD": "PadOptions",
    "PADV2": "PadV2Options",
    "RESHAPE": "ReshapeOptions",
    "SHAPE": "ShapeOptions",
    "QUANTIZE": "QuantizeOptions",
    "DEQUANTIZE": "DequantizeOptions",
    "EXPAND_DIMS": "ExpandDimsOptions",
    "SQUEEZE": "SqueezeOptions",
}


@dataclass(frozen=True)
class _TensorEntry:
    name: str
    shape: tuple[int, ...]
    type_name: str
    buffer: int
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int


@dataclass(frozen=True)
class _OperatorEntry:
    type_name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any]


class ModelWriter:
    """Collects tensors and operators by index; `finish` returns the file's bytes.

    Operator options are given by the schema's field names: `StrideH=2, Padding=SAME`.
    """

    def __init__(self) -> None:
        self._tensors: list[_TensorEntry] = []
        self._operators: list[_OperatorEntry] = []
        self._buffers: list[bytes] = [b""]

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str = "int8",
        *,
        scale: float | Sequence[float] = (),
        zero_point: int | Sequence[int] = (),
        axis: int = 0,
        data: np.ndarray | None = None,
    ) -> int:
        """Adds a tensor, constant if it has data; returns its index."""
        scales = tuple(np.atleast_1d(scale).tolist())
        zeros = tuple(np.atleast_1d(zero_point).astype(int).tolist())
        buffer = 0
        if data is not None:
            self._buffers.append(np.ascontiguousarray(data).tobytes())
            buffer = len(self._buffers) - 1
        self._tensors.append(
            _TensorEntry(name, tuple(shape), dtype.upper(), buffer, scales, zeros, axis)
        )
        return len(self._tensors) - 1

    def constant(self, name: str, data: np.ndarray, **quantisation: Any) -> int:
        """Adds a constant tensor; returns its index."""
        return self.tensor(name, data.shape, data.dtype.name, data=data, **quantisation)

    def operator(
        self, type_name: str, inputs: Sequence[int], output: int | Sequence[int], **options: Any
    ) -> int:
        """Adds an operator; returns its first output, for the next one."""
        outputs = (output,) if isinstance(output, int) else tuple(output)
        self._operators.append(_OperatorEntry(type_name, tuple(inputs), outputs, options))
        return outputs[0] if outputs else -1

    @property
    def last_operator(self) -> str:
        """Type of the operator that was added last."""
        return self._operators[-1].type_name

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The whole file."""
        builder = flatbuffers.Builder(1024)
        codes = sorted({operator.type_name for operator in self._operators})
        buffers = _offsets(builder, [_buffer(builder, data) for data in self._buffers])
        tensors = _offsets(builder, [_tensor(builder, entry) for entry in self._tensors])
        operators = _offsets(
            builder, [_operator(builder, entry, codes) for entry in self._operators]
        )
        graph_inputs, graph_outputs = _ints(builder, inputs), _ints(builder, outputs)
        tflite.SubGraphStart(builder)
        tflite.SubGraphAddTensors(builder, tensors)
        tflite.SubGraphAddInputs(builder, graph_inputs)
        tflite.SubGraphAddOutputs(builder, graph_outputs)
        tflite.SubGraphAddOperators(builder, operators)
        graphs = _offsets(builder, [tflite.SubGraphEnd(builder)])
        code_tables = _offsets(builder, [_operator_code(builder, name) for name in codes])
        tflite.ModelStart(builder)
        tflite.ModelAddVersion(builder, 3)
        tflite.ModelAddOperatorCodes(builder, code_tables)
        tflite.ModelAddSubgraphs(builder, graphs)
        tflite.ModelAddBuffers(builder, buffers)
        builder.Finish(tflite.ModelEnd(builder), b"TFL3")
        return bytes(builder.Output())


def _vector(builder: Any, count: int, width: int, prepend: Callable[[int], None]) -> int:
    builder.StartVector(width, count, width)
    for position in reversed(range(count)):
        prepend(position)
    return int(builder.EndVector())


def _offsets(builder: Any, tables: Sequence[int]) -> int:
    return _vector(builder, len(tables), 4, lambda i: builder.PrependUOffsetTRelative(tables[i]))


def _ints(builder: Any, values: Sequence[int]) -> int:
    return _vector(builder, len(values), 4, lambda i: builder.PrependInt32(int(values[i])))


def _buffer(builder: Any, data: bytes) -> int:
    vector = 0
    if data:
        # Kernels read constants in place: keep them aligned for the widest element.
        builder.StartVector(1, len(data), 16)
        builder.head -= len(data)
        builder.Bytes[builder.head : builder.head + len(data)] = data
        vector = builder.EndVector()
    tflite.BufferStart(builder)
    if data:
        tflite.BufferAddData(builder, vector)
    return int(tflite.BufferEnd(builder))


def _quantisation(builder: Any, entry: _TensorEntry) -> int:
    scales = _vector(
        builder,
        len(entry.scale),
        4,
        lambda i: builder.PrependFloat32(entry.scale[i]),
    )
    zeros = entry.zero_point or (0,) * len(entry.scale)
    zero_points = _vector(builder, len(zeros), 8, lambda i: builder.PrependInt64(zeros[i]))
    tflite.QuantizationParametersStart(builder)
    tflite.QuantizationParametersAddScale(builder, scales)
    tflite.QuantizationParametersAddZeroPoint(builder, zero_points)
    tflite.QuantizationParametersAddQuantizedDimension(builder, entry.axis)
    return int(tflite.QuantizationParametersEnd(builder))


def _tensor(builder: Any, entry: _TensorEntry) -> int:
    name = builder.CreateString(entry.name)
    shape = _ints(builder, entry.shape)
    quantisation = _quantisation(builder, entry) if entry.scale else 0
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, getattr(tflite.TensorType, entry.type_name))
    tflite.TensorAddBuffer(builder, entry.buffer)
    tflite.TensorAddName(builder, name)
    if entry.scale:
        tflite.TensorAddQuantization(builder, quantisation)
    return int(tflite.TensorEnd(builder))


def _operator(builder: Any, entry: _OperatorEntry, codes: Sequence[str]) -> int:
    inputs, outputs = _ints(builder, entry.inputs), _ints(builder, entry.outputs)
    class_name = _OPTIONS.get(entry.type_name)
    options = 0
    if class_name is not None:
        getattr(tflite, f"{class_name}Start")(builder)
        for field, value in entry.options.items():
            getattr(tflite, f"{class_name}Add{field}")(builder, value)
        options = getattr(tflite, f"{class_name}End")(builder)
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, codes.index(entry.type_name))
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if class_name is not None:
        tflite.OperatorAddBuiltinOptionsType(builder, getattr(tflite.BuiltinOptions, class_name))
        tflite.OperatorAddBuiltinOptions(builder, options)
    return int(tflite.OperatorEnd(builder))


def _operator_code(builder: Any, type_name: str) -> int:
    code = getattr(tflite.BuiltinOperator, type_name)
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(code, 127))
    tflite.OperatorCodeAddBuiltinCode(builder, code)
    tflite.OperatorCodeAddVersion(builder, 1)
    return int(tflite.OperatorCodeEnd(builder))
