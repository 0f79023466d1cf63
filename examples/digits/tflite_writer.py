"""Writes a one-subgraph `.tflite` flatbuffer tensor by tensor and operator by operator."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import flatbuffers
import numpy as np
import tflite
from numpy.typing import DTypeLike, NDArray

SCHEMA_VERSION = 3
FILE_IDENTIFIER = b"TFL3"
DATA_ALIGNMENT = 16  # bytes; the schema's force_align of Buffer.data
NO_TENSOR = -1  # an optional operator input left out
LAST_DEPRECATED_CODE = 127  # codes above do not fit the old one-byte field, which then holds 127

TENSOR_TYPES = {
    "int8": tflite.TensorType.INT8,
    "int16": tflite.TensorType.INT16,
    "int32": tflite.TensorType.INT32,
    "float32": tflite.TensorType.FLOAT32,
}

OptionValue = int | float | bool | Sequence[int]


@dataclass(frozen=True)
class Quantisation:
    """real = scale · (stored − zero_point); several scales run along dimension `axis`."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True)
class Options:
    """An operator's option table: the name of its schema table and its fields.

    Fields are in the schema's CamelCase, for instance `Options("Conv2DOptions", {"StrideW": 2})`;
    the others keep the schema's defaults. A sequence is written as a vector of int32.
    """

    table: str
    fields: Mapping[str, OptionValue]


@dataclass(frozen=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    type: int
    quantisation: Quantisation | None
    buffer: int


@dataclass(frozen=True)
class _Operator:
    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Options | None


class TfliteWriter:
    """Collects tensors and operators; `finish` turns them into the bytes of a model.

    The bytes depend on the calls alone: no time stamp, no order of a hash table.
    """

    def __init__(self, description: str) -> None:
        self._description = description
        self._buffers: list[bytes] = [b""]  # buffer 0 is empty by convention
        self._tensors: list[_Tensor] = []
        self._codes: list[tuple[int, int]] = []
        self._operators: list[_Operator] = []
        self._builder = flatbuffers.Builder(1024)

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: DTypeLike,
        quantisation: Quantisation | None = None,
    ) -> int:
        """Add an activation tensor; its index."""
        return self._append(name, tuple(shape), np.dtype(dtype), quantisation, buffer=0)

    def constant(
        self, name: str, data: NDArray[np.generic], quantisation: Quantisation | None = None
    ) -> int:
        """Add a tensor with its values, stored little-endian in row-major order; its index."""
        little_endian = data.astype(data.dtype.newbyteorder("<"))
        self._buffers.append(little_endian.tobytes())
        return self._append(name, data.shape, data.dtype, quantisation, len(self._buffers) - 1)

    def operator(
        self,
        code: int,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Options | None = None,
        *,
        version: int = 1,
    ) -> None:
        """Add an operator; `code` and `version` are of `tflite.BuiltinOperator`, order is kept."""
        entry = (code, version)
        if entry not in self._codes:
            self._codes.append(entry)
        self._operators.append(
            _Operator(self._codes.index(entry), tuple(inputs), tuple(outputs), options)
        )

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The model with these tensors as its inputs and outputs; the writer is then spent."""
        builder = self._builder
        buffers = self._tables("Model", "Buffers", [self._buffer(data) for data in self._buffers])
        codes = self._tables("Model", "OperatorCodes", [self._code(*c) for c in self._codes])
        subgraph = self._subgraph(inputs, outputs)
        subgraphs = self._tables("Model", "Subgraphs", [subgraph])
        description = builder.CreateString(self._description)
        tflite.ModelStart(builder)
        tflite.ModelAddVersion(builder, SCHEMA_VERSION)
        tflite.ModelAddOperatorCodes(builder, codes)
        tflite.ModelAddSubgraphs(builder, subgraphs)
        tflite.ModelAddDescription(builder, description)
        tflite.ModelAddBuffers(builder, buffers)
        builder.Finish(tflite.ModelEnd(builder), file_identifier=FILE_IDENTIFIER)
        return bytes(builder.Output())

    def _append(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: np.dtype[np.generic],
        quantisation: Quantisation | None,
        buffer: int,
    ) -> int:
        self._tensors.append(_Tensor(name, shape, TENSOR_TYPES[dtype.name], quantisation, buffer))
        return len(self._tensors) - 1

    def _subgraph(self, inputs: Sequence[int], outputs: Sequence[int]) -> int:
        tensors = self._tables("SubGraph", "Tensors", [self._tensor(t) for t in self._tensors])
        operators = self._tables(
            "SubGraph", "Operators", [self._operator(o) for o in self._operators]
        )
        input_vector, output_vector = self._int32(inputs), self._int32(outputs)
        name = self._builder.CreateString("main")
        tflite.SubGraphStart(self._builder)
        tflite.SubGraphAddTensors(self._builder, tensors)
        tflite.SubGraphAddInputs(self._builder, input_vector)
        tflite.SubGraphAddOutputs(self._builder, output_vector)
        tflite.SubGraphAddOperators(self._builder, operators)
        tflite.SubGraphAddName(self._builder, name)
        return int(tflite.SubGraphEnd(self._builder))

    def _buffer(self, data: bytes) -> int:
        vector = None
        if data:
            # Preparing for the whole vector first puts its first byte on the alignment.
            self._builder.Prep(DATA_ALIGNMENT, len(data))
            vector = self._builder.CreateByteVector(data)
        tflite.BufferStart(self._builder)
        if vector is not None:
            tflite.BufferAddData(self._builder, vector)
        return int(tflite.BufferEnd(self._builder))

    def _code(self, code: int, version: int) -> int:
        tflite.OperatorCodeStart(self._builder)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(self._builder, min(code, LAST_DEPRECATED_CODE))
        tflite.OperatorCodeAddVersion(self._builder, version)
        tflite.OperatorCodeAddBuiltinCode(self._builder, code)
        return int(tflite.OperatorCodeEnd(self._builder))

    def _tensor(self, tensor: _Tensor) -> int:
        quantisation = None
        if tensor.quantisation is not None:
            quantisation = self._quantisation(tensor.quantisation)
        shape = self._int32(tensor.shape)
        name = self._builder.CreateString(tensor.name)
        tflite.TensorStart(self._builder)
        tflite.TensorAddShape(self._builder, shape)
        tflite.TensorAddType(self._builder, tensor.type)
        tflite.TensorAddBuffer(self._builder, tensor.buffer)
        tflite.TensorAddName(self._builder, name)
        if quantisation is not None:
            tflite.TensorAddQuantization(self._builder, quantisation)
        return int(tflite.TensorEnd(self._builder))

    def _quantisation(self, quantisation: Quantisation) -> int:
        scales = self._builder.CreateNumpyVector(np.array(quantisation.scales, np.float32))
        zero_points = self._builder.CreateNumpyVector(np.array(quantisation.zero_points, np.int64))
        tflite.QuantizationParametersStart(self._builder)
        tflite.QuantizationParametersAddScale(self._builder, scales)
        tflite.QuantizationParametersAddZeroPoint(self._builder, zero_points)
        tflite.QuantizationParametersAddQuantizedDimension(self._builder, quantisation.axis)
        return int(tflite.QuantizationParametersEnd(self._builder))

    def _operator(self, operator: _Operator) -> int:
        inputs, outputs = self._int32(operator.inputs), self._int32(operator.outputs)
        options = None if operator.options is None else self._options(operator.options)
        tflite.OperatorStart(self._builder)
        tflite.OperatorAddOpcodeIndex(self._builder, operator.code)
        tflite.OperatorAddInputs(self._builder, inputs)
        tflite.OperatorAddOutputs(self._builder, outputs)
        if operator.options is not None and options is not None:
            kind = getattr(tflite.BuiltinOptions, operator.options.table)
            tflite.OperatorAddBuiltinOptionsType(self._builder, kind)
            tflite.OperatorAddBuiltinOptions(self._builder, options)
        return int(tflite.OperatorEnd(self._builder))

    def _options(self, options: Options) -> int:
        values = {  # a vector must stand in the buffer before its table begins
            field: self._int32(value) if isinstance(value, Sequence) else value
            for field, value in options.fields.items()
        }
        _schema(f"{options.table}Start")(self._builder)
        for field, value in values.items():
            _schema(f"{options.table}Add{field}")(self._builder, value)
        return int(_schema(f"{options.table}End")(self._builder))

    def _tables(self, table: str, field: str, offsets: Sequence[int]) -> int:
        """A vector of tables already written."""
        _schema(f"{table}Start{field}Vector")(self._builder, len(offsets))
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return int(self._builder.EndVector())

    def _int32(self, values: Sequence[int]) -> int:
        return int(self._builder.CreateNumpyVector(np.array(values, np.int32)))


def _schema(name: str) -> Callable[..., int]:
    """The builder function of this name in the generated schema."""
    function: Callable[..., int] = getattr(tflite, name)
    return function
