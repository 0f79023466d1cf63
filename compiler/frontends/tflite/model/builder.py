"""What the TFLite operator converters share: tensors by index, refusals, activation ranges."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import cached_property
from math import copysign, trunc
from typing import Any, NoReturn

import numpy as np

from compiler.frontends.tflite.model.reader import RawOperator, RawTensor, RawTfliteModel
from compiler.frontends.tflite.model.resources import ResourceTable
from compiler.frontends.tflite.model.states import StateTable
from compiler.ir.graph import DTYPES, Graph, Quantisation, Tensor
from compiler.ir.ops import Array, Constant, Node
from compiler.ir.refusals import DependsOnRefusedError, OperatorRefusedError
from hw.arch.errors import RowforgeError
from numerics.quantisation import Doubles, Requant, RoundingRule, integer_range

# FusedActivationFunction -> the real interval it clamps to (None: unbounded).
_ACTIVATIONS: dict[int, tuple[float | None, float | None]] = {
    0: (None, None),
    1: (0.0, None),
    2: (-1.0, 1.0),
    3: (0.0, 6.0),
}


class TfliteBuilder:
    """Collects the graph of one file while its operators are converted in order.

    Constants, among them the results of folded shape arithmetic, are known by `constants`;
    `states` has what lives from one inference to the next.
    """

    def __init__(self, raw: RawTfliteModel) -> None:
        self.raw = raw
        self.constants: dict[int, Array] = {
            tensor.index: tensor.data for tensor in raw.tensors if tensor.data is not None
        }
        self.states = StateTable()
        self._tensors: dict[str, Tensor] = {}
        self._keys: dict[int, str] = {}
        self._nodes: list[Node] = []
        self._refused: set[int] = set()
        self._doubtful: set[str] = set()
        self._absorbed: list[tuple[str, str, str]] = []  # before any node

    @cached_property
    def resources(self) -> ResourceTable:
        """The resource variables of the file."""
        return ResourceTable.of(self.raw)

    def declare(self, index: int, key: str, *, data: Array | None = None) -> str:
        """Enters a tensor of the file into the graph under `key`."""
        self._tensors[key] = self._tensor(self.raw.tensors[index], key, data)
        self._keys[index] = key
        return key

    @staticmethod
    def dtype(raw: RawTensor) -> str:
        """The element type of a tensor of the file; `RowforgeError` if the graph has no such."""
        dtype = raw.type_name.lower()
        if dtype not in DTYPES:
            raise RowforgeError(
                f"tensor {raw.index} ({raw.name}) has type {raw.type_name}; "
                f"int8, uint8, int32 and float32 tensors are supported"
            )
        return dtype

    def _tensor(self, raw: RawTensor, key: str, data: Array | None) -> Tensor:
        index, dtype = raw.index, self.dtype(raw)
        quantisation = None
        usable = all(0.0 < value < float("inf") for value in raw.scale)
        if raw.scale and (usable or dtype in ("int8", "uint8")):
            if not usable:
                raise RowforgeError(
                    f"tensor {index} ({raw.name}) must have positive finite scales; "
                    f"calibrate the model again"
                )
            self._check_zero_points(raw, dtype)
            quantisation = Quantisation(raw.scale, raw.zero_point, raw.axis)
        return Tensor(
            name=raw.name,
            key=key,
            shape=raw.shape,
            dtype=dtype,
            quantisation=quantisation,
            data=data,
        )

    @staticmethod
    def _check_zero_points(raw: RawTensor, dtype: str) -> None:
        if dtype == "float32":
            return
        low, high = integer_range(dtype)
        if not all(low <= value <= high for value in raw.zero_point):
            raise RowforgeError(f"tensor {raw.index} has a zero point outside {dtype}")

    def refuse(self, op: RawOperator, reason: str, remedy: str) -> NoReturn:
        """Raises the one sentence that names operator, position, reason and what would help."""
        raise OperatorRefusedError(op.index, op.type_name, reason, remedy)

    def give_up(self, op: RawOperator, *, doubtful: bool) -> None:
        """Takes the outputs of a refused operator as the file declares them, to judge the rest.

        `doubtful`: what their type and scale would be is part of what was refused.
        """
        for index in op.outputs:
            self._refused.add(index)
            if index not in self._keys and index not in self.constants:
                try:
                    self.declare(index, f"{op.label}_t{index}")
                except RowforgeError:
                    continue
            if doubtful and index in self._keys:
                self._doubtful.add(self._keys[index])

    def tensor_at(self, op: RawOperator, position: int, what: str) -> RawTensor:
        """The input tensor at a position, which must be present."""
        if position >= len(op.inputs) or op.inputs[position] < 0:
            self.refuse(op, f"it has no {what}", "re-export the model")
        return self.raw.tensors[op.inputs[position]]

    def optional_at(self, op: RawOperator, position: int) -> RawTensor | None:
        """The input tensor at a position, or None where the operator leaves it out."""
        if position >= len(op.inputs) or op.inputs[position] < 0:
            return None
        return self.raw.tensors[op.inputs[position]]

    def constant(self, op: RawOperator, position: int, what: str) -> Array:
        """The value of an input that must be known when the model is read."""
        tensor = self.tensor_at(op, position, what)
        if tensor.index not in self.constants:
            if tensor.index in self._refused:
                raise DependsOnRefusedError(f"operator {op.index} reads what was refused")
            self.refuse(
                op,
                f"its {what} (type {tensor.type_name}) is not a readable constant",
                "export the model with constant weights and fixed shapes",
            )
        return self.constants[tensor.index]

    def integers(self, op: RawOperator, position: int, what: str) -> Array:
        """A constant of whole numbers: sizes, axes, limits."""
        value = self.constant(op, position, what)
        if value.dtype not in (np.int32, np.int64):
            self.refuse(op, f"its {what} have type {value.dtype}", "int32 is expected")
        return value

    def activation(self, op: RawOperator, position: int) -> Tensor:
        """The graph tensor of an input; constants enter the graph when first used so."""
        raw = self.tensor_at(op, position, f"input {position}")
        if raw.index not in self._keys:
            if raw.index not in self.constants:
                if raw.index in self._refused:
                    raise DependsOnRefusedError(f"operator {op.index} reads what was refused")
                if raw.variable:
                    self.refuse(
                        op,
                        f"its input {raw.name} is a variable, whose value would stay between runs",
                        "export the model without state",
                    )
                self.refuse(op, f"nothing writes its input {raw.name}", "re-export the model")
            self.declare(raw.index, f"const_t{raw.index}", data=self.constants[raw.index])
        return self._tensors[self._keys[raw.index]]

    def spread(self, op: RawOperator, tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
        """A constant operand repeated to `shape`; other tensors, and misfits, as they are."""
        fits = len(tensor.shape) <= len(shape) and all(
            size in (1, target)
            for size, target in zip(tensor.shape[::-1], shape[::-1], strict=False)
        )
        if tensor.data is None or not fits or tensor.shape == shape:
            return tensor
        data = np.broadcast_to(tensor.data, shape).copy()
        wide = replace(tensor, key=f"{tensor.key}_for_{op.index:03d}", shape=shape, data=data)
        self._tensors[wide.key] = wide
        return wide

    def quantised(
        self, op: RawOperator, tensor: Tensor, types: tuple[str, ...] = ("int8", "uint8")
    ) -> tuple[float, int]:
        """(scale, zero point) of a per-tensor quantised activation."""
        quantised = tensor.quantisation is not None and tensor.quantisation.per_tensor
        if tensor.key in self._doubtful and not (quantised and tensor.dtype in types):
            raise DependsOnRefusedError(f"operator {op.index} reads what was refused")
        if tensor.dtype not in types:
            self.refuse(
                op,
                f"its tensor {tensor.name} has type {tensor.dtype}",
                "convert the model with full int8 quantisation",
            )
        if tensor.quantisation is None or not tensor.quantisation.per_tensor:
            self.refuse(
                op,
                f"its tensor {tensor.name} has no per-tensor scale",
                "convert the model with full int8 quantisation",
            )
        return tensor.quantisation.scale[0], tensor.quantisation.zero_point[0]

    def output(self, op: RawOperator) -> Tensor:
        """Declares the operator's single output and returns it."""
        if len(op.outputs) != 1:
            self.refuse(op, f"it has {len(op.outputs)} outputs", "one output is supported")
        return self.outputs(op)[0]

    def outputs(self, op: RawOperator) -> list[Tensor]:
        """Declares all of the operator's outputs and returns them."""
        declared = []
        for index in op.outputs:
            if index in self._keys or index in self.constants:
                self.refuse(op, "its output is written twice or constant", "re-export the model")
            declared.append(self._tensors[self.declare(index, f"{op.label}_t{index}")])
        return declared

    def between(self, op: RawOperator, what: str, like: Tensor, shape: tuple[int, ...]) -> Tensor:
        """A tensor that the file does not have, of another's type and scale, inside an operator."""
        key = f"{op.label} {what}"
        return self._entered(replace(like, name=key, key=key, shape=shape, data=None))

    def integers_between(
        self,
        op: RawOperator,
        what: str,
        shape: tuple[int, ...],
        dtype: str,
        data: Array | None = None,
    ) -> Tensor:
        """Bare integers inside an operator, constant if there are data."""
        key = f"{op.label} {what}"
        return self._entered(Tensor(name=key, key=key, shape=shape, dtype=dtype, data=data))

    def _entered(self, tensor: Tensor) -> Tensor:
        self._tensors[tensor.key] = tensor
        return tensor

    def same_type(self, op: RawOperator, source: Tensor, output: Tensor) -> None:
        """Refuses an operator whose kernel knows one type for input and output only."""
        if source.dtype != output.dtype:
            self.refuse(
                op,
                f"its input has type {source.dtype}, its output {output.dtype}",
                "put a QUANTIZE between them",
            )

    def clamp(
        self, op: RawOperator, output: Tensor, types: tuple[str, ...] = ("int8", "uint8")
    ) -> tuple[int, int]:
        """Stored values that the operator's fused activation clamps to."""
        activation = op.options["FusedActivationFunction"]
        if activation not in _ACTIVATIONS:
            self.refuse(
                op,
                f"its fused activation {activation} is not a clamp",
                "use none, ReLU, ReLU6 or ReLU-1-to-1",
            )
        if activation == 0 and output.quantisation is None and output.dtype in types:
            return integer_range(output.dtype)
        lower, upper = _ACTIVATIONS[activation]
        return self.real_clamp(op, output, lower, upper, types)

    def real_clamp(
        self,
        op: RawOperator,
        output: Tensor,
        lower: float | None,
        upper: float | None,
        types: tuple[str, ...] = ("int8", "uint8"),
    ) -> tuple[int, int]:
        """The stored clamp of a real interval: float32 quotients, rounded half away."""
        scale, zero_point = self.quantised(op, output, types)
        low, high = integer_range(output.dtype)

        def stored(real: float) -> int:
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                quotient = float(np.float32(real) / np.float32(scale))
            bounded = min(max(quotient, -(2.0**31)), 2.0**31)
            return trunc(bounded + copysign(0.5, bounded)) + zero_point

        if lower is not None:
            low = min(max(low, stored(lower)), high)
        if upper is not None:
            high = max(min(high, stored(upper)), low)
        return low, high

    def checked_scale(self, op: RawOperator, real: Any) -> Doubles:
        """Input over output scales as float64 [1] or [M], refused where no shift reaches them."""
        scale = np.atleast_1d(np.asarray(real, dtype=np.float64))
        if not np.all(np.isfinite(scale)) or scale.max() >= 2.0**31:
            self.refuse(
                op,
                "its input scales exceed 2^31 times its output scale",
                "calibrate the model again",
            )
        return scale

    def requant(
        self, op: RawOperator, real: Any, output: Tensor, clamp: tuple[int, int]
    ) -> Requant:
        """The output stage with these real scales into `output`."""
        return Requant(
            scale=self.checked_scale(op, real),
            rounding=RoundingRule.TFLM,
            zero_point=self.quantised(op, output)[1],
            low=clamp[0],
            high=clamp[1],
            dtype=output.dtype,
        )

    def emit(self, node: Node) -> None:
        """Appends a node."""
        if self._absorbed:
            node = replace(node, absorbs=(*node.absorbs, *self._absorbed))
            self._absorbed = []
        self._nodes.append(node)

    def absorb(self, op: RawOperator, reason: str) -> None:
        """Ends an operator that has no node of its own: it is reported with the one before it."""
        row = (op.label, op.type_name, reason)
        if self._nodes:
            self._nodes[-1] = replace(self._nodes[-1], absorbs=(*self._nodes[-1].absorbs, row))
        else:
            self._absorbed.append(row)

    def state(
        self, state: Hashable, like: RawTensor, name: str, initial: Callable[[], Array]
    ) -> Tensor:
        """The tensor that a state is by now.

        If nothing has used it yet, that is what the inference before left. Its tensor is then of
        the type and shape of `like`, a tensor of the file, and the first inference finds `initial`,
        which is made once the shape is known to be within the limits.
        """
        if state not in self.states:
            key = f"state_t{like.index}"
            self._entered(replace(self._tensor(like, key, None), name=name or key))
            self.states.begin(state, key, initial())
        return self._tensors[self.states[state]]

    def emit_constant(self, op: RawOperator, value: Array) -> None:
        """Ends an operator whose result is known: later operators read it as a constant."""
        output = self.output(op)
        index = op.outputs[0]
        value = np.array(value, dtype=output.dtype)
        if value.shape != output.shape:
            self.refuse(
                op,
                f"its result has shape {list(value.shape)}, the file says {list(output.shape)}",
                "export the model with fixed shapes",
            )
        self.constants[index] = value
        self.emit(
            Constant(
                name=op.label,
                op=op.type_name,
                inputs=(),
                output=output.key,
                folded="its value is known when the model is read",
                value=value,
            )
        )

    def graph(self, name: str) -> Graph:
        """The finished graph."""
        for what, ends in (("input", self.raw.inputs), ("output", self.raw.outputs)):
            twice = [index for index in ends if ends.count(index) > 1]
            if twice:
                raise RowforgeError(f"it names tensor {twice[0]} as {what} more than once")
            self._tell_apart(ends)
        missing = [index for index in self.raw.outputs if index not in self._keys]
        if missing:
            raise RowforgeError(f"no operator writes the model's output tensor {missing[0]}")
        return Graph(
            name=name,
            tensors=self._tensors,
            nodes=tuple(self._nodes),
            inputs=tuple(self._keys[index] for index in self.raw.inputs),
            outputs=tuple(self._keys[index] for index in self.raw.outputs),
            rounding=RoundingRule.TFLM,
            states=self.states.of_graph(),
        )

    def _tell_apart(self, ends: tuple[int, ...]) -> None:
        """Inputs and outputs are given by name; the key follows a name that several share."""
        keys = [self._keys[index] for index in ends if index in self._keys]
        names = [self._tensors[key].name for key in keys]
        for key, name in zip(keys, names, strict=True):
            if names.count(name) > 1 or not name:
                self._tensors[key] = replace(self._tensors[key], name=f"{name}:{key}".lstrip(":"))
