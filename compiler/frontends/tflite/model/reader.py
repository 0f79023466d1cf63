"""A TFLite file as plain values: bytes are checked here, so that nothing later meets a raw offset.

The flatbuffer is read through the `tflite` schema package. Every vector length is held against the
file's size before it is walked, constants are views into the file, and whatever a damaged file
does to the reader becomes one sentence. Fields that a writer left out have the value that
TensorFlow Lite Micro gives them; such a file is not damaged.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

import flatbuffers.number_types
import numpy as np
import numpy.typing as npt
import tflite

from hw.arch.errors import RowforgeError

MAX_FILE_BYTES = 1 << 30
MAX_RANK = 8
MAX_OPERATORS = 4096  # real networks have some hundreds; the time to compile grows with them
_READ_ERRORS = (struct.error, IndexError, ValueError, TypeError, OverflowError, AttributeError)

_TYPES: dict[str, np.dtype[Any]] = {
    "FLOAT32": np.dtype("<f4"),
    "INT8": np.dtype("<i1"),
    "UINT8": np.dtype("<u1"),
    "INT16": np.dtype("<i2"),
    "UINT16": np.dtype("<u2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "BOOL": np.dtype("?"),
}

# Place of `builtin_code` in the virtual table of an OperatorCode.
_BUILTIN_CODE = 10

_WINDOW = ("Padding", "StrideH", "StrideW")
_DILATION = ("DilationHFactor", "DilationWFactor")
_FUSED = ("FusedActivationFunction",)
_RESIZE = ("AlignCorners", "HalfPixelCenters")
_POOL = (*_WINDOW, "FilterHeight", "FilterWidth", *_FUSED)
_MASKS = ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask")

# Operator type -> (its options table, the fields read from it).
_OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "CONV_2D": ("Conv2DOptions", (*_WINDOW, *_DILATION, *_FUSED)),
    "DEPTHWISE_CONV_2D": (
        "DepthwiseConv2DOptions",
        (*_WINDOW, *_DILATION, *_FUSED, "DepthMultiplier"),
    ),
    "FULLY_CONNECTED": ("FullyConnectedOptions", (*_FUSED, "WeightsFormat", "KeepNumDims")),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _POOL),
    "MAX_POOL_2D": ("Pool2DOptions", _POOL),
    "ADD": ("AddOptions", _FUSED),
    "MUL": ("MulOptions", _FUSED),
    "MEAN": ("ReducerOptions", ("KeepDims",)),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", *_FUSED)),
    "STRIDED_SLICE": ("StridedSliceOptions", _MASKS),
    "PACK": ("PackOptions", ("Axis", "ValuesCount")),
    "LEAKY_RELU": ("LeakyReluOptions", ("Alpha",)),
    "TRANSPOSE_CONV": ("TransposeConvOptions", (*_WINDOW, *_FUSED)),
    "DIV": ("DivOptions", _FUSED),
    "SUM": ("ReducerOptions", ("KeepDims",)),
    "REDUCE_MAX": ("ReducerOptions", ("KeepDims",)),
    "REDUCE_MIN": ("ReducerOptions", ("KeepDims",)),
    "L2_NORMALIZATION": ("L2NormOptions", _FUSED),
    "UNPACK": ("UnpackOptions", ("Num", "Axis")),
    "GATHER": ("GatherOptions", ("Axis", "BatchDims")),
    "MIRROR_PAD": ("MirrorPadOptions", ("Mode",)),
    "DEPTH_TO_SPACE": ("DepthToSpaceOptions", ("BlockSize",)),
    "SPACE_TO_DEPTH": ("SpaceToDepthOptions", ("BlockSize",)),
    "BATCH_MATMUL": ("BatchMatMulOptions", ("AdjX", "AdjY")),
    "SUB": ("SubOptions", _FUSED),
    "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighborOptions", _RESIZE),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", _RESIZE),
    "VAR_HANDLE": ("VarHandleOptions", ("Container", "SharedName")),
    "CALL_ONCE": ("CallOnceOptions", ("InitSubgraphIndex",)),
    "SVDF": ("SVDFOptions", ("Rank", *_FUSED)),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        "UnidirectionalSequenceLSTMOptions",
        (*_FUSED, "CellClip", "TimeMajor"),
    ),
}


@dataclass(frozen=True, eq=False)
class RawTensor:
    """A tensor as the file has it; `data` is a read-only view of a constant, else None."""

    index: int
    name: str
    type_name: str
    shape: tuple[int, ...]
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int
    data: npt.NDArray[Any] | None
    variable: bool


@dataclass(frozen=True, eq=False)
class RawOperator:
    """An operator as the file has it: tensor indices (-1: absent) and scalar options by name.

    Without a table of options (`bare`), all options that the operator type has are 0.
    """

    index: int
    type_name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any]
    bare: bool

    @property
    def label(self) -> str:
        """`NNN_TYPE`, the head of a dump key."""
        return f"{self.index:03d}_{self.type_name}"


@dataclass(frozen=True, eq=False)
class RawTfliteModel:
    """The first subgraph of a file, which is the one that runs.

    `signatures` has the number of the subgraph that each of the file's signatures runs,
    `initialising` those that a CALL_ONCE names, by their numbers.
    """

    tensors: tuple[RawTensor, ...]
    operators: tuple[RawOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    signatures: tuple[int, ...]
    initialising: Mapping[int, "RawTfliteModel"] = field(default_factory=dict)


class _DamagedFileError(RowforgeError):
    """What the file says of itself cannot be true."""


def read_tflite(path: Path) -> RawTfliteModel:
    """Reads and checks a file; damage, and passing a limit, raise RowforgeError naming the file."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise RowforgeError(f"{path} must have at most {MAX_FILE_BYTES} bytes, not {size}")
        content = path.read_bytes()
    except OSError as error:
        raise RowforgeError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) < 8 or content[4:8] != b"TFL3":
        raise RowforgeError(f"{path} is not a TFLite file (its identifier is not TFL3)")
    try:
        return _Reader(content).model()
    except _DamagedFileError as error:
        raise RowforgeError(f"{path} is not a usable TFLite file: {error}") from error
    except RowforgeError as error:
        raise RowforgeError(f"{path}: {error}") from error
    except _READ_ERRORS as error:
        raise RowforgeError(f"{path} is damaged or cut short: {error}") from error


def _names(enumeration: type) -> dict[int, str]:
    return {
        value: name
        for name, value in vars(enumeration).items()
        if isinstance(value, int) and not name.startswith("_")
    }


_TYPE_NAMES = _names(tflite.TensorType)
_OPERATOR_NAMES = _names(tflite.BuiltinOperator)
_OPTIONS_NAMES = _names(tflite.BuiltinOptions)


class _Reader:
    """Walks the tables of one file held in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._model: Any = tflite.Model.GetRootAs(content, 0)

    def model(self) -> RawTfliteModel:
        """The plain form of the whole file."""
        if self._model.Version() != 3:
            raise _DamagedFileError(f"schema version must be 3, not {self._model.Version()}")
        first = self._subgraph(self._first_graph())
        if not first.inputs or not first.outputs or not first.operators:
            raise _DamagedFileError("it must have at least one input, one output and one operator")
        called = sorted(
            {
                operator.options["InitSubgraphIndex"]
                for operator in first.operators
                if operator.type_name == "CALL_ONCE"
            }
        )
        count = self._model.SubgraphsLength()
        for index in called:
            if not 0 < index < count:
                raise _DamagedFileError(f"CALL_ONCE names subgraph {index} of {count}")
        initialising = {index: self._subgraph(self._model.Subgraphs(index)) for index in called}
        return replace(first, signatures=self._signatures(), initialising=initialising)

    def _subgraph(self, graph: Any) -> RawTfliteModel:
        count = self._checked(graph.TensorsLength(), 4, "tensors")
        inputs = self._indices(graph.InputsLength(), graph.Inputs, count, optional=False)
        outputs = self._indices(graph.OutputsLength(), graph.Outputs, count, optional=False)
        number = self._checked(graph.OperatorsLength(), 4, "operators")
        if number > MAX_OPERATORS:
            raise RowforgeError(f"it must have at most {MAX_OPERATORS} operators, not {number}")
        operators = tuple(
            self._operator(index, graph.Operators(index), count) for index in range(number)
        )
        written = {*inputs, *(index for operator in operators for index in operator.outputs)}
        tensors = tuple(
            self._tensor(index, graph.Tensors(index), written=index in written)
            for index in range(count)
        )
        return RawTfliteModel(tensors, operators, inputs, outputs, ())

    def _first_graph(self) -> Any:
        """The subgraph that runs: others do so only where an operator of it calls them."""
        count = self._checked(self._model.SubgraphsLength(), 4, "subgraphs")
        if count == 0:
            raise _DamagedFileError("it must have at least one subgraph")
        for graph in map(self._model.Subgraphs, range(1, count)):
            self._checked(graph.TensorsLength(), 4, "tensors")
            self._checked(graph.OperatorsLength(), 4, "operators")
            self._checked(graph.InputsLength(), 4, "inputs")
            self._checked(graph.OutputsLength(), 4, "outputs")
        return self._model.Subgraphs(0)

    def _signatures(self) -> tuple[int, ...]:
        count = self._checked(self._model.SignatureDefsLength(), 4, "signatures")
        signatures = (self._model.SignatureDefs(number) for number in range(count))
        return tuple(int(signature.SubgraphIndex()) for signature in signatures)

    def _checked(self, count: int, width: int, what: str) -> int:
        """A vector length that the file is long enough to hold."""
        if not 0 <= count * width <= len(self._content):
            raise _DamagedFileError(f"it claims {count} {what}, more than its size allows")
        return count

    def _indices(self, count: int, get: Any, limit: int, *, optional: bool) -> tuple[int, ...]:
        values = tuple(int(get(i)) for i in range(self._checked(count, 4, "tensor indices")))
        lowest = -1 if optional else 0
        for value in values:
            if not lowest <= value < limit:
                raise _DamagedFileError(f"it names tensor {value} of {limit}")
        return values

    def _tensor(self, index: int, table: Any, *, written: bool) -> RawTensor:
        rank = table.ShapeLength()
        if rank > MAX_RANK:
            raise RowforgeError(f"tensor {index} must have at most {MAX_RANK} axes, not {rank}")
        # An unknown batch is written as -1 by some converters: one item is meant.
        shape = tuple(
            1 if axis == 0 and table.Shape(axis) == -1 else table.Shape(axis)
            for axis in range(rank)
        )
        type_name = _TYPE_NAMES.get(table.Type(), str(table.Type()))
        scale, zero_point, axis = self._quantisation(index, table.Quantization())
        data = self._data(index, table, type_name, shape, written=written)
        name = (table.Name() or b"").decode("utf-8", "replace")
        variable = bool(table.IsVariable())
        return RawTensor(index, name, type_name, shape, scale, zero_point, axis, data, variable)

    def _quantisation(
        self, index: int, table: Any
    ) -> tuple[tuple[float, ...], tuple[int, ...], int]:
        if table is None or table.ScaleLength() == 0:
            return (), (), 0
        count = self._checked(table.ScaleLength(), 4, "scales")
        zeros = self._checked(table.ZeroPointLength(), 8, "zero points")
        scale = tuple(float(value) for value in table.ScaleAsNumpy())
        zero_point = (0,) * count
        if zeros:
            zero_point = tuple(int(value) for value in table.ZeroPointAsNumpy())
            if not all(-(1 << 31) <= value < 1 << 31 for value in zero_point):
                raise _DamagedFileError(f"tensor {index} has a zero point beyond 32 bits")
        if zeros not in (0, count):
            # Writers save space where all zero points are equal: one of them stands for all.
            if len(set(zero_point)) > 1:
                raise _DamagedFileError(
                    f"tensor {index} has {count} scales but {zeros} zero points"
                )
            zero_point = zero_point[:1] * count
        return scale, zero_point, int(table.QuantizedDimension())

    def _data(
        self, index: int, tensor: Any, type_name: str, shape: tuple[int, ...], *, written: bool
    ) -> npt.NDArray[Any] | None:
        buffer = tensor.Buffer()
        if not 0 <= buffer < self._checked(self._model.BuffersLength(), 4, "buffers"):
            raise _DamagedFileError(f"tensor {index} names buffer {buffer}, which does not exist")
        table = self._model.Buffers(buffer)
        if table.Offset() > 1:
            raise RowforgeError(
                f"tensor {index} keeps its data outside the flatbuffer, where they are not read; "
                f"export the model with its constants inside"
            )
        count = self._checked(table.DataLength(), 1, "constant bytes")
        dtype = _TYPES.get(type_name)
        # Buffer 0 should be empty and stand for "no data"; a writer that uses it as any other
        # does not mean its activations, which may name it too.
        if count == 0 or dtype is None or (buffer == 0 and written):
            return None
        expected = prod(shape) * dtype.itemsize
        if count != expected or min(shape, default=1) < 0:
            if tensor.Sparsity() is not None:
                raise RowforgeError(
                    f"tensor {index} is stored as a sparse one; export the model with dense weights"
                )
            raise _DamagedFileError(
                f"tensor {index} of shape {list(shape)} must have {expected} bytes, not {count}"
            )
        raw: npt.NDArray[Any] = table.DataAsNumpy()
        return raw.view(dtype).reshape(shape)

    def _operator(self, index: int, table: Any, tensors: int) -> RawOperator:
        codes = self._checked(self._model.OperatorCodesLength(), 4, "operator codes")
        if not 0 <= table.OpcodeIndex() < codes:
            raise _DamagedFileError(f"operator {index} names code {table.OpcodeIndex()} of {codes}")
        type_name = self._type_name(self._model.OperatorCodes(table.OpcodeIndex()))
        inputs = self._indices(table.InputsLength(), table.Inputs, tensors, optional=True)
        outputs = self._indices(table.OutputsLength(), table.Outputs, tensors, optional=False)
        options, bare = self._options(index, type_name, table)
        return RawOperator(index, type_name, inputs, outputs, options, bare)

    @staticmethod
    def _type_name(code: Any) -> str:
        # Writers fill either field or both. `BuiltinCode` of the schema package would give the
        # deprecated field for all numbers that fit it, hence the field itself is read here.
        place = code._tab.Offset(_BUILTIN_CODE)
        builtin = code.DeprecatedBuiltinCode()
        if place:
            kind = flatbuffers.number_types.Int32Flags
            builtin = max(builtin, int(code._tab.Get(kind, place + code._tab.Pos)))
        name = _OPERATOR_NAMES.get(builtin, f"operator_{builtin}")
        if name == "CUSTOM":
            return f"CUSTOM({(code.CustomCode() or b'').decode('utf-8', 'replace')})"
        return name

    @staticmethod
    def _options(index: int, type_name: str, table: Any) -> tuple[dict[str, Any], bool]:
        """The options by name, and whether the operator has no table of them."""
        if type_name not in _OPTIONS:
            return {}, False
        class_name, fields = _OPTIONS[type_name]
        number = table.BuiltinOptionsType()
        found = _OPTIONS_NAMES.get(number, f"options {number}")
        raw = table.BuiltinOptions()
        if raw is None:
            return dict.fromkeys(fields, 0), True
        if found != class_name:
            raise _DamagedFileError(
                f"operator {index} {type_name} must carry {class_name}, not {found}"
            )
        options = getattr(tflite, class_name)()
        options.Init(raw.Bytes, raw.Pos)
        return {name: getattr(options, name)() for name in fields}, False
