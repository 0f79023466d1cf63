"""A small writer of `.tflite` files, the mirror image of the front end's reader."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import flatbuffers
import numpy as np
import tflite

from tests.support.tflite.options import DEFAULTS, OPTIONS


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What a writer of files leaves out, or does in another of the schema's ways.

    `codes` tells which of an operator code's two fields it writes: "both", "new" or "deprecated".
    With `explicit` it writes fields that have their default. `options` False leaves out every
    table of options; None those whose fields are all default. `names` are "own", "same" (one for
    all), "empty" or "absent". `zero_points` are written "full", as a "single" one where all of a
    tensor are equal, or are "absent" where all are 0. `own_buffers` gives every activation an
    empty buffer; `first_buffer_used` puts data into buffer 0, and `shared_buffers` one buffer
    under all constants of the same bytes. `empty_vectors` False leaves out a scalar's shape and
    an operator's empty list of inputs. `bias_scales` False writes int32 tensors without
    quantisation. `unused` adds a tensor and operator codes that nothing names. Of several
    `subgraphs` the first has the operators and nothing calls the others. `signatures` lists the
    subgraph of each signature. `external` keeps constants outside the flatbuffer, `sparse` says
    that they are stored sparsely.
    """

    codes: str = "both"
    explicit: bool = False
    options: bool | None = True
    names: str = "own"
    zero_points: str = "full"
    own_buffers: bool = False
    first_buffer_used: bool = False
    shared_buffers: bool = False
    empty_vectors: bool = True
    bias_scales: bool = True
    unused: bool = False
    subgraphs: int = 1
    signatures: tuple[int, ...] = ()
    external: bool = False
    sparse: bool = False


@dataclass(frozen=True)
class _TensorEntry:
    name: str
    shape: tuple[int, ...]
    type_name: str
    buffer: int
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int
    variable: bool = False


@dataclass(frozen=True)
class _OperatorEntry:
    type_name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any]

    @property
    def default(self) -> bool:
        """All options are the schema's defaults."""
        return all(value == DEFAULTS.get(field, 0) for field, value in self.options.items())


class ModelWriter:
    """Collects tensors and operators by index; `finish` returns the file's bytes.

    Operator options are given by the schema's field names: `StrideH=2, Padding=SAME`.
    """

    def __init__(self) -> None:
        self._tensors: list[_TensorEntry] = []
        self._operators: list[_OperatorEntry] = []
        self._buffers: list[bytes] = [b""]
        self._further: list[ModelWriter] = []

    def subgraph(self) -> tuple[int, "ModelWriter"]:
        """Adds a subgraph without inputs and outputs, and its number, by which it is called."""
        further = ModelWriter()
        further._buffers = self._buffers
        self._further.append(further)
        return len(self._further), further

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
        variable: bool = False,
    ) -> int:
        """Adds a tensor, constant if it has data; returns its index."""
        scales = tuple(np.atleast_1d(scale).tolist())
        zeros = tuple(np.atleast_1d(zero_point).astype(int).tolist())
        buffer = 0
        if data is not None:
            self._buffers.append(np.ascontiguousarray(data).tobytes())
            buffer = len(self._buffers) - 1
        self._tensors.append(
            _TensorEntry(name, tuple(shape), dtype.upper(), buffer, scales, zeros, axis, variable)
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

    @property
    def defaults(self) -> tuple[str, ...]:
        """Types of the operators whose options, if any, are all the schema's defaults."""
        return tuple(entry.type_name for entry in self._operators if entry.default)

    @property
    def operators(self) -> tuple[str, ...]:
        """Types of all operators."""
        return tuple(entry.type_name for entry in self._operators)

    @property
    def has_data(self) -> bool:
        """There are constants."""
        return len(self._buffers) > 1

    @property
    def has_scalars(self) -> bool:
        """There are tensors without axes."""
        return any(not entry.shape for entry in self._tensors)

    def writer_of(self, tensor: int) -> str:
        """Type of the operator that writes a tensor, or "" if none does."""
        return next((e.type_name for e in self._operators if tensor in e.outputs), "")

    def is_read(self, tensor: int) -> bool:
        """An operator reads the tensor."""
        return any(tensor in entry.inputs for entry in self._operators)

    def unscale(self, tensor: int) -> None:
        """Takes a tensor's quantisation away."""
        self._tensors[tensor] = replace(self._tensors[tensor], scale=(), zero_point=())

    @property
    def repeats_data(self) -> bool:
        """Several constants have the same bytes."""
        return len(set(self._buffers)) < len(self._buffers)

    def finish(
        self, inputs: Sequence[int], outputs: Sequence[int], habits: Habits | None = None
    ) -> bytes:
        """The whole file."""
        habits = habits or Habits()
        builder = flatbuffers.Builder(1024)
        builder.ForceDefaults(habits.explicit)
        codes = sorted(
            {operator.type_name for one in (self, *self._further) for operator in one._operators}
        )
        of_all = [entry for one in (self, *self._further) for entry in one._tensors]
        entries, datas = _placed(of_all, self._buffers, habits)
        rest = entries[len(self._tensors) :]
        del entries[len(self._tensors) :]
        if habits.unused:
            codes = sorted({"ABS", *codes, "WHILE"})
            entries.append(_TensorEntry("unused", (3,), "FLOAT16", 0, (), (), 0))
        buffers = _offsets(builder, [_buffer(builder, data, habits) for data in datas])
        ends = (inputs, outputs)
        graphs = [_subgraph(builder, entries, self._operators, ends, codes, habits)]
        for one in self._further:
            own, rest = rest[: len(one._tensors)], rest[len(one._tensors) :]
            graphs.append(_subgraph(builder, own, one._operators, ((), ()), codes, habits))
        for _ in range(1, habits.subgraphs):
            # These are not run: they have the tensors of the first, but no operators.
            graphs.append(_subgraph(builder, entries, [], ends, codes, habits))
        graphs_vector = _offsets(builder, graphs)
        code_tables = _offsets(builder, [_operator_code(builder, n, habits) for n in codes])
        signatures = _offsets(builder, [_signature(builder, n) for n in habits.signatures])
        tflite.ModelStart(builder)
        tflite.ModelAddVersion(builder, 3)
        tflite.ModelAddOperatorCodes(builder, code_tables)
        tflite.ModelAddSubgraphs(builder, graphs_vector)
        tflite.ModelAddBuffers(builder, buffers)
        if habits.signatures:
            tflite.ModelAddSignatureDefs(builder, signatures)
        builder.Finish(tflite.ModelEnd(builder), b"TFL3")
        return bytes(builder.Output())


def _subgraph(
    builder: Any,
    entries: Sequence[_TensorEntry],
    run: Sequence[_OperatorEntry],
    ends: tuple[Sequence[int], Sequence[int]],
    codes: Sequence[str],
    habits: Habits,
) -> int:
    tensors = _offsets(builder, [_tensor(builder, entry, habits) for entry in entries])
    operators = _offsets(builder, [_operator(builder, entry, codes, habits) for entry in run])
    inputs, outputs = (_ints(builder, listed) for listed in ends)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors)
    tflite.SubGraphAddInputs(builder, inputs)
    tflite.SubGraphAddOutputs(builder, outputs)
    tflite.SubGraphAddOperators(builder, operators)
    return int(tflite.SubGraphEnd(builder))


def _signature(builder: Any, subgraph: int) -> int:
    tflite.SignatureDefStart(builder)
    tflite.SignatureDefAddSubgraphIndex(builder, subgraph)
    return int(tflite.SignatureDefEnd(builder))


def _sparsity(builder: Any) -> int:
    tflite.SparsityParametersStart(builder)
    return int(tflite.SparsityParametersEnd(builder))


def _placed(
    tensors: Sequence[_TensorEntry], datas: Sequence[bytes], habits: Habits
) -> tuple[list[_TensorEntry], list[bytes]]:
    """Tensors and buffers, with the buffers laid out as the habits say."""
    laid = list(datas)
    places = list(range(len(laid)))
    if habits.shared_buffers:
        laid = list(dict.fromkeys(datas))
        places = [laid.index(data) for data in datas]
    if habits.first_buffer_used and len(laid) > 1:
        # Buffer 1 comes first; tensors without data get the empty one, which follows it.
        laid[0], laid[1] = laid[1], laid[0]
        places = [{0: 1, 1: 0}.get(place, place) for place in places]
    placed = []
    for entry in tensors:
        place = places[entry.buffer]
        if habits.own_buffers and entry.buffer == 0:
            laid.append(b"")
            place = len(laid) - 1
        placed.append(replace(entry, buffer=place))
    return placed, laid


def _vector(builder: Any, count: int, width: int, prepend: Callable[[int], None]) -> int:
    builder.StartVector(width, count, width)
    for position in reversed(range(count)):
        prepend(position)
    return int(builder.EndVector())


def _offsets(builder: Any, tables: Sequence[int]) -> int:
    return _vector(builder, len(tables), 4, lambda i: builder.PrependUOffsetTRelative(tables[i]))


def _ints(builder: Any, values: Sequence[int]) -> int:
    return _vector(builder, len(values), 4, lambda i: builder.PrependInt32(int(values[i])))


def _buffer(builder: Any, data: bytes, habits: Habits) -> int:
    vector = 0
    if data and habits.external:
        tflite.BufferStart(builder)
        tflite.BufferAddOffset(builder, 1 << 20)
        tflite.BufferAddSize(builder, len(data))
        return int(tflite.BufferEnd(builder))
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


def _quantisation(builder: Any, entry: _TensorEntry, habits: Habits) -> int:
    scales = _vector(
        builder,
        len(entry.scale),
        4,
        lambda i: builder.PrependFloat32(entry.scale[i]),
    )
    zeros = entry.zero_point or (0,) * len(entry.scale)
    if habits.zero_points == "single" and len(set(zeros)) == 1:
        zeros = zeros[:1]
    written = any(zeros) or habits.zero_points != "absent"
    zero_points = 0
    if written:
        zero_points = _vector(builder, len(zeros), 8, lambda i: builder.PrependInt64(zeros[i]))
    tflite.QuantizationParametersStart(builder)
    tflite.QuantizationParametersAddScale(builder, scales)
    if written:
        tflite.QuantizationParametersAddZeroPoint(builder, zero_points)
    tflite.QuantizationParametersAddQuantizedDimension(builder, entry.axis)
    return int(tflite.QuantizationParametersEnd(builder))


def _tensor(builder: Any, entry: _TensorEntry, habits: Habits) -> int:
    chosen = {"own": entry.name, "same": "tensor", "empty": "", "absent": None}[habits.names]
    name = 0 if chosen is None else builder.CreateString(chosen)
    shaped = bool(entry.shape) or habits.empty_vectors
    shape = _ints(builder, entry.shape) if shaped else 0
    quantised = bool(entry.scale) and (habits.bias_scales or entry.type_name != "INT32")
    quantisation = _quantisation(builder, entry, habits) if quantised else 0
    sparsity = _sparsity(builder) if habits.sparse else 0
    tflite.TensorStart(builder)
    if shaped:
        tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, getattr(tflite.TensorType, entry.type_name))
    tflite.TensorAddBuffer(builder, entry.buffer)
    tflite.TensorAddIsVariable(builder, entry.variable)
    if chosen is not None:
        tflite.TensorAddName(builder, name)
    if habits.sparse:
        tflite.TensorAddSparsity(builder, sparsity)
    if quantised:
        tflite.TensorAddQuantization(builder, quantisation)
    return int(tflite.TensorEnd(builder))


def _operator(builder: Any, entry: _OperatorEntry, codes: Sequence[str], habits: Habits) -> int:
    listed = bool(entry.inputs) or habits.empty_vectors
    inputs = _ints(builder, entry.inputs) if listed else 0
    outputs = _ints(builder, entry.outputs)
    class_name = OPTIONS.get(entry.type_name)
    if habits.options is False or (habits.options is None and entry.default):
        class_name = None
    options = 0
    if class_name is not None:
        values = {
            field: builder.CreateString(value) if isinstance(value, str) else value
            for field, value in entry.options.items()
        }
        getattr(tflite, f"{class_name}Start")(builder)
        for field, value in values.items():
            getattr(tflite, f"{class_name}Add{field}")(builder, value)
        options = getattr(tflite, f"{class_name}End")(builder)
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, codes.index(entry.type_name))
    if listed:
        tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if class_name is not None:
        tflite.OperatorAddBuiltinOptionsType(builder, getattr(tflite.BuiltinOptions, class_name))
        tflite.OperatorAddBuiltinOptions(builder, options)
    return int(tflite.OperatorEnd(builder))


def _operator_code(builder: Any, type_name: str, habits: Habits) -> int:
    custom = type_name.startswith("CUSTOM(")
    code = getattr(tflite.BuiltinOperator, "CUSTOM" if custom else type_name)
    called = builder.CreateString(type_name[len("CUSTOM(") : -1]) if custom else 0
    tflite.OperatorCodeStart(builder)
    if custom:
        tflite.OperatorCodeAddCustomCode(builder, called)
    if habits.codes != "new":
        tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(code, 127))
    if habits.codes != "deprecated" or code >= 127:
        tflite.OperatorCodeAddBuiltinCode(builder, code)
    tflite.OperatorCodeAddVersion(builder, 1)
    return int(tflite.OperatorCodeEnd(builder))
