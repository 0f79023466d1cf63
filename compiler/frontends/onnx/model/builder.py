"""What the ONNX operator converters share: inputs by name, and float tensors that do not exist.

A float tensor of a quantised ONNX model is rarely computed: it is the dequantised form of stored
integers, or the unrounded result of an operator whose output is quantised next. The builder
therefore knows four kinds of value: constants, activations (graph tensors), stored values
(integers with the scale of the DequantizeLinear after them) and pending operators, which are
emitted when it is known who reads them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from compiler.frontends.onnx.model.emitter import Emitter
from compiler.frontends.onnx.model.layout import Layout, Shape
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.reader import MAX_RANK, RawInput, RawOnnxModel
from compiler.frontends.onnx.model.values import (
    EXPORT_REMEDY,
    KNOWN,
    QUANTISE_REMEDY,
    Activation,
    Constants,
    QuantisedConstant,
    Scale,
    Stored,
)
from compiler.ir.graph import DTYPES, MAX_ELEMENTS, Graph
from compiler.ir.ops import RELABELLED, Array, Constant, HostStep, Reshape
from hw.arch.errors import RowforgeError
from numerics.quantisation import RoundingRule

LEAST_FOLDED = 1 << 25  # values that constants computed when the model is read may have in all
MAX_LISTED = 64  # axes, pads and sizes that an operator may be given


class OnnxBuilder(Emitter):
    """Collects the graph of one file while its operators are converted in order.

    Attributes
    ----------
    constants : values known when the model is read, by name
    quantised_constants : of those, the dequantised ones
    pending : operators on floats that wait for their readers, by the name of their output
    stored_values : dequantised activations by name
    quantised_forms : float tensors that have been quantised, by name, scale and clamp
    signed : tensors of uint16 in their int16 form (`model.wide`), by the name in the model
    products : what `onnx_affine.product_before` has found, by name
    served : indices of operators that an earlier one has done the work of
    """

    def __init__(
        self,
        raw: RawOnnxModel,
        *,
        materialisers: Mapping[str, Callable[["OnnxBuilder", RawNode], None]],
        integer_forms: Mapping[str, Callable[["OnnxBuilder", RawNode, str | None], Stored | None]],
        finisher: Callable[["OnnxBuilder", str], Callable[[], None] | None],
        keep_shape: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(raw)
        self.constants = Constants(raw.constants)
        self.quantised_constants: dict[str, QuantisedConstant] = {}
        self.pending: dict[str, RawNode] = {}
        self.stored_values: dict[str, Stored] = {}
        self.quantised_forms: dict[tuple[str, Scale, tuple[int, int]], Activation] = {}
        self.signed: dict[str, Activation] = {}
        self.products: dict[str, object] = {}
        self.served: set[int] = set()
        self._materialisers = materialisers
        self._integer_forms = integer_forms
        self._finisher = finisher
        self._keep_shape = keep_shape
        self._folded_elements = 0
        held = sum(value.size for value in raw.constants.values())
        self._most_folded = max(4 * held, LEAST_FOLDED)
        self._aliases: dict[str, str] = {}
        self._resolved: set[str] = set()
        self._position = {node.index: place for place, node in enumerate(raw.nodes)}

    # ---- inputs of operators ----------------------------------------------------------------

    def name_at(self, node: RawNode, position: int, what: str) -> str:
        """The name of the input at a position, which must be present."""
        if position >= len(node.inputs) or not node.inputs[position]:
            self.refuse(node, f"it has no {what}", "export the model again")
        return node.inputs[position]

    def has(self, node: RawNode, position: int) -> bool:
        """Whether an optional input is given."""
        return position < len(node.inputs) and bool(node.inputs[position])

    def constant(self, node: RawNode, position: int, what: str) -> Array:
        """The value of an input that must be known when the model is read."""
        name = self.name_at(node, position, what)
        if name not in self.constants:
            kind = self.raw.unreadable.get(name)
            given = any(value.name == name for value in self.raw.inputs)
            state = "is an input of the model" if given else "is computed when the model runs"
            reason = f"its {what} {name!r} {f'has type {kind}' if kind else state}"
            self.refuse(node, reason, "export the model with constant weights and parameters")
        return self.constants[name]

    def scalar(self, node: RawNode, position: int, what: str) -> Any:
        """The value of a constant input of one element."""
        value = self.constant(node, position, what)
        if value.size != 1:
            self.refuse(
                node,
                f"its {what} has {value.size} values",
                "quantise activations per tensor, with one scale and zero point",
            )
        return value.reshape(-1)[0]

    def integers(self, node: RawNode, position: int, what: str) -> tuple[int, ...]:
        """The values of a constant list of integers."""
        value = self.constant(node, position, what)
        if value.dtype.kind not in "iu" or value.size > MAX_LISTED:
            self.refuse(
                node, f"its {what} is no list of at most {MAX_LISTED} integers", "correct the model"
            )
        return tuple(int(number) for number in value.reshape(-1))

    def check_ratio(self, node: RawNode, output: Scale, *inputs: Scale) -> None:
        """Refuses input scales that no output scale can follow."""
        if any(float(scale.scale) >= 2.0**31 * float(output.scale) for scale in inputs):
            self.refuse(
                node,
                "its input scales exceed 2^31 times its output scale",
                "calibrate the model again",
            )

    def scale_at(self, node: RawNode, position: int, dtype: str | None = None) -> Scale:
        """Scale and zero point of a tensor, given at `position` and the one after it."""
        scale = self.scalar(node, position, "scale")
        if scale.dtype != np.float32 or not (np.isfinite(scale) and scale > 0):
            self.refuse(
                node,
                f"its scale {scale} must be a positive finite float32 number",
                "calibrate the model again",
            )
        zero: Any = np.uint8(0)
        if self.has(node, position + 1):
            zero = self.scalar(node, position + 1, "zero point")
        elif dtype is not None:
            zero = np.zeros((), dtype=dtype)[()]
        if dtype is not None and str(zero.dtype) != dtype:
            self.refuse(
                node,
                f"its zero point has type {zero.dtype}, its values {dtype}",
                "give both the same type",
            )
        return Scale(np.float32(scale), int(zero), str(zero.dtype))

    def shape_of(self, name: str) -> Shape | None:
        """The model's shape of a tensor as far as it is known without emitting anything."""
        while (node := self.pending.get(name)) is not None and node.op_type in self._keep_shape:
            name = node.inputs[0]
        if name in self.constants:
            return self.constants.shape(name)
        if name in self.activations:
            return self.activations[name].shape
        if name in self.stored_values:
            return self.stored_values[name].activation.shape
        return None

    def stored(self, name: str, key: str | None = None) -> Stored | None:
        """A float tensor's stored form; pending operators that only select values are emitted.

        `key` is the graph key for the result of such an operator.
        """
        for node in self._waiting(name, self._unstored, lambda node: node.inputs):
            output = node.outputs[0]
            form = self._integer_forms[node.op_type]
            found = form(self, node, key if output == name else None)
            if found is not None:
                self.stored_values[output] = found
            self._resolved.add(output)
        return self.stored_values.get(name)

    def _unstored(self, name: str) -> RawNode | None:
        """The pending operator whose integer form has not been asked for yet."""
        if name in self.stored_values or name in self._resolved:
            return None
        node = self.pending.get(name)
        return node if node is not None and node.op_type in self._integer_forms else None

    def _waiting(
        self,
        name: str,
        pending: Callable[[str], RawNode | None],
        needs: Callable[[RawNode], tuple[str, ...]],
    ) -> list[RawNode]:
        """The operators that must be served before `name`, in order; no recursion, any depth."""
        found: dict[str, RawNode] = {}
        queue = [name]
        while queue:
            node = pending(queue.pop())
            if node is not None and node.outputs[0] not in found:
                found[node.outputs[0]] = node
                queue.extend(filter(None, needs(node)))
        return sorted(found.values(), key=lambda node: self._position[node.index])

    def activation(self, node: RawNode, position: int, what: str = "input") -> Activation:
        """The graph tensor of an input, emitting whatever computes it."""
        name = self.name_at(node, position, what)
        return self.activation_named(node, name)

    def activation_named(self, node: RawNode, name: str) -> Activation:
        """The graph tensor of a name; a constant enters the graph when it is first used so."""
        if name in self.activations:
            return self.activations[name]
        if name in self.constants:
            if self.constants[name].size == 0:
                self.refuse(node, f"its input {name!r} has no values", EXPORT_REMEDY)
            return self.constant_activation(name, self.constants[name])
        if name in self._aliases:
            floats = self.activation_named(node, self._aliases[name])
            layout = self.stored_values[name].activation.layout
            self.activations[name] = Activation(floats.key, layout, "float32")
            return self.activations[name]
        if name in self._folded_at:
            return self.unfold(name)
        if name not in self.pending:
            self.refuse(node, f"its input {name!r} has a type that is not supported", "cast it")
        for writer in self._waiting(name, self._unwritten, self._floats_for):
            self._write(writer)
        return self.activation_named(node, name)

    def _write(self, writer: RawNode) -> None:
        """Emits a pending operator: on stored values, then dequantised, where that can be."""
        output = writer.outputs[0]
        found = self.stored(output)
        if output in self._aliases:
            return
        if found is not None:
            floats = self.declare(output, found.activation.layout, "float32")
            self.emit(
                HostStep(
                    name=f"{self.label(writer)} output",
                    op="DequantizeLinear",
                    inputs=(found.activation.key,),
                    output=floats.key,
                    function="dequantise_ort",
                    parameters=found.scale.parameters,
                )
            )
            return
        finish = self._finisher(self, output)
        if finish is not None:
            finish()
            return
        materialise = self._materialisers.get(writer.op_type)
        if materialise is None:
            self.refuse(writer, "it computes in floating point", QUANTISE_REMEDY)
        materialise(self, writer)

    def _floats_for(self, node: RawNode) -> tuple[str, ...]:
        """The float tensors that a pending operator needs; a product of integers needs none."""
        return () if self._finisher(self, node.outputs[0]) is not None else node.inputs

    def _unwritten(self, name: str) -> RawNode | None:
        """The pending operator whose float result is not in the graph yet."""
        known = name in self.activations or name in self._aliases or name in self._folded_at
        return None if known else self.pending.get(name)

    def constant_activation(
        self, key: str, value: Array, layout: Layout | None = None
    ) -> Activation:
        """A constant as a tensor of the graph."""
        if layout is None:
            layout = Layout.plain(tuple(value.shape))
        dtype = str(value.dtype)
        if key not in self._tensors:
            self._declare(key, layout, dtype, data=layout.to_storage(value))
        activation = Activation(key, layout, dtype)
        self.activations.setdefault(key, activation)
        return activation

    def check_folded(self, node: RawNode, shape: Shape) -> None:
        """Refuses a constant that would be too large, before it is computed."""
        self.check_elements(node, shape)
        if prod(shape) + self._folded_elements > self._most_folded:
            self.refuse(
                node,
                f"with it, constants computed when the model is read have more than "
                f"{self._most_folded} values",
                "save the model with its constants folded",
            )

    def define(self, node: RawNode, value: Array) -> None:
        """Ends an operator whose result is known: whoever reads it reads a constant."""
        name = node.outputs[0]
        if value.size:
            self.check_folded(node, tuple(value.shape))
            self._folded_elements += value.size
        if value.ndim > MAX_RANK:
            self.refuse(node, f"its result has {value.ndim} axes", EXPORT_REMEDY)
        self.constants[name] = value
        if str(value.dtype) not in DTYPES or value.size == 0:
            self.note(node, KNOWN)
            return
        self._declare(name, Layout.plain(tuple(value.shape)), str(value.dtype))
        shaped = value.reshape(self._tensors[name].shape)
        self.emit_for(
            node,
            Constant(
                name=self.label(node),
                op=node.op_type,
                inputs=(),
                output=name,
                folded=KNOWN,
                value=shaped,
            ),
        )

    # ---- dequantised values -----------------------------------------------------------------

    def dequantise(self, raw: RawNode, source: Activation, scale: Scale) -> None:
        """Notes the output as stored; its float form costs nothing until something reads it."""
        name = raw.outputs[0]
        step = HostStep(
            name=self.label(raw),
            op=raw.op_type,
            inputs=(source.key,),
            output=name,
            folded="whatever reads it works on the stored values",
            function="dequantise_ort",
            parameters=scale.parameters,
        )
        self.emit_folded(step, source.layout, "float32", raw)
        self.stored_values[name] = Stored(source, scale)

    def alias(self, raw: RawNode, source: Stored, layout: Layout) -> None:
        """The float form of a relabelled stored value, which costs nothing until it is read."""
        before, name = raw.inputs[0], raw.outputs[0]
        if before not in self._tensors or before not in self.stored_values:
            return
        self._declare(name, layout, "float32")
        self.emit_for(
            raw,
            Reshape(
                name=self.label(raw),
                op=raw.op_type,
                inputs=(before,),
                output=name,
                folded=RELABELLED,
            ),
        )
        self._aliases[name] = self._aliases.get(before, before)

    # ---- the end ----------------------------------------------------------------------------

    def graph(self, name: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Graph:
        """The finished graph; operators that nothing needed are reported as such."""
        for node in self.raw.nodes:
            used = any(self._is_known(output) for output in node.outputs)
            self.note(node, KNOWN if used else "nothing reads its result")
        if not self._nodes:
            raise RowforgeError("its outputs are constants: there is nothing to run")
        last = self._nodes[-1]
        self._nodes[-1] = replace(last, absorbs=last.absorbs + tuple(self._notes))
        return Graph(
            name=name,
            tensors=self._tensors,
            nodes=tuple(self._nodes),
            inputs=inputs,
            outputs=outputs,
            rounding=RoundingRule.ORT,
        )

    def _is_known(self, name: str) -> bool:
        return name in self.constants or name in self.quantised_constants

    def check_input(self, value: RawInput, shape: Shape) -> None:
        """Refuses an input of another type than graphs have, or one that is too large."""
        if value.dtype not in DTYPES:
            raise RowforgeError(
                f"its input {value.name!r} has type {value.dtype}; inputs of float32 and of "
                f"integers of 8 or 16 bits are supported"
            )
        elements = 1
        for size in shape:
            elements *= size
        if elements > MAX_ELEMENTS:
            raise RowforgeError(
                f"its input {value.name!r} of shape {list(shape)} must have at most "
                f"{MAX_ELEMENTS} values"
            )
