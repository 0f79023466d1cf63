"""What the ONNX operator converters share: values by name, refusals, layouts, emission.

A float tensor of a quantised ONNX model rarely exists: it is the dequantised form of stored
integers, or the unrounded result of an operator whose output is quantised next. The builder
therefore knows four kinds of value: constants, activations (graph tensors), stored values
(integers with the scale of the DequantizeLinear behind them) and pending operators, which are
emitted when it is known who reads them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np

from compiler.frontends.onnx_layout import Layout, Shape
from compiler.frontends.onnx_reader import MAX_RANK, RawInput, RawModel, RawNode
from compiler.graph import DTYPES, MAX_ELEMENTS, Graph, Quantisation, Tensor
from compiler.ops import Array, Constant, HostStep, Node, Reshape
from compiler.quantisation import Rounding
from hw.arch.errors import RowforgeError

QUANTIZE_REMEDY = "quantise the model first, with `rowforge quantize`"
EXPORT_REMEDY = "export the model again with fixed shapes"
COMPUTED_WITH = "computed together with {}"
KNOWN = "its value is known when the model is read"


@dataclass(frozen=True)
class Scale:
    """real = scale * (stored - zero_point); the scale is float32."""

    scale: np.float32
    zero_point: int
    dtype: str


@dataclass(frozen=True, eq=False)
class Activation:
    """A tensor of the graph and how the model's tensor lies in it."""

    key: str
    layout: Layout
    dtype: str

    @property
    def shape(self) -> Shape:
        """The model's shape."""
        return self.layout.shape


@dataclass(frozen=True, eq=False)
class Stored:
    """A float tensor of the model that is the dequantised form of stored integers."""

    activation: Activation
    scale: Scale


@dataclass(frozen=True, eq=False)
class QuantisedConstant:
    """A float constant that is the dequantised form of integers.

    scale and zero_point are per tensor (length 1) or per slice along `axis`.
    """

    values: Array
    scale: Array
    zero_point: Array
    axis: int


class Builder:
    """Collects the graph of one file while its operators are converted in order."""

    def __init__(
        self,
        raw: RawModel,
        *,
        materialisers: Mapping[str, Callable[["Builder", RawNode], None]],
        integer_forms: Mapping[str, Callable[["Builder", RawNode, str | None], Stored | None]],
    ) -> None:
        self.raw = raw
        self._materialisers = materialisers
        self._integer_forms = integer_forms
        self.constants: dict[str, Array] = dict(raw.constants)
        self.quantised_constants: dict[str, QuantisedConstant] = {}
        self.pending: dict[str, RawNode] = {}
        self.activations: dict[str, Activation] = {}
        self.stored_values: dict[str, Stored] = {}
        self._tensors: dict[str, Tensor] = {}
        self._nodes: list[Node] = []
        self._folded_at: dict[str, int] = {}
        self._aliases: dict[str, str] = {}
        self._notes: list[tuple[str, str, str]] = []
        self._noted: set[int] = set()
        self._rearranged: dict[tuple[str, Layout], Activation] = {}
        self._labels: dict[int, str] = {}
        taken: set[str] = set()
        for node in raw.nodes:
            label = node.name if node.name and node.name not in taken else node.label
            taken.add(label)
            self._labels[node.index] = label

    # ---- names, refusals --------------------------------------------------------------------

    def label(self, node: RawNode) -> str:
        """The node's own name where it has one that is unique."""
        return self._labels[node.index]

    def refuse(self, node: RawNode, reason: str, remedy: str) -> NoReturn:
        """Raises the one sentence that names operator, node, position, reason and what helps."""
        node.refuse(reason, remedy)

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
            reason = f"its {what} {name!r} " + (
                f"has type {kind}" if kind else "is computed when the model runs"
            )
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

    def scale_at(self, node: RawNode, position: int, dtype: str | None = None) -> Scale:
        """Scale and zero point of a tensor, given at `position` and the one behind it."""
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
        if name in self.constants:
            return tuple(self.constants[name].shape)
        if name in self.activations:
            return self.activations[name].shape
        if name in self.stored_values:
            return self.stored_values[name].activation.shape
        return None

    def stored(self, name: str, key: str | None = None) -> Stored | None:
        """A float tensor's stored form; pending operators that only select values are emitted.

        `key` is the graph key for the result of such an operator.
        """
        if name not in self.stored_values and name in self.pending:
            node = self.pending[name]
            form = self._integer_forms.get(node.op_type)
            found = form(self, node, key) if form is not None else None
            if found is not None:
                self.stored_values[name] = found
        return self.stored_values.get(name)

    def activation(self, node: RawNode, position: int, what: str = "input") -> Activation:
        """The graph tensor of an input, emitting whatever computes it."""
        name = self.name_at(node, position, what)
        return self.activation_named(node, name)

    def activation_named(self, node: RawNode, name: str) -> Activation:
        """The graph tensor of a name; a constant enters the graph when it is first used so."""
        if name in self.activations:
            return self.activations[name]
        if name in self.constants:
            return self.constant_activation(name, self.constants[name])
        if name in self._aliases:
            floats = self.activation_named(node, self._aliases[name])
            layout = self.stored_values[name].activation.layout
            self.activations[name] = Activation(floats.key, layout, "float32")
            return self.activations[name]
        if name in self._folded_at:
            return self._unfold(name)
        if name not in self.pending:
            self.refuse(node, f"its input {name!r} has a type that is not supported", "cast it")
        writer = self.pending[name]
        materialise = self._materialisers.get(writer.op_type)
        if materialise is None:
            self.refuse(writer, "it computes in floating point", QUANTIZE_REMEDY)
        materialise(self, writer)
        return self.activations[name]

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

    # ---- layouts ----------------------------------------------------------------------------

    def tensor(self, activation: Activation) -> Tensor:
        """The graph tensor that holds an activation."""
        return self._tensors[activation.key]

    def in_order(self, node: RawNode, source: Activation, order: Shape) -> Activation:
        """The activation with its model axes stored in `order`, rearranged if need be."""
        if source.layout.runs_in(order):
            return source
        return self.laid_out(node, source, Layout.stored_as(source.shape, order))

    def laid_out(self, node: RawNode, source: Activation, layout: Layout) -> Activation:
        """The activation stored as `layout` says; a host step moves the values if need be."""
        if source.layout.same_as(layout):
            return source
        known = self._rearranged.get((source.key, layout))
        if known is not None and known.shape == source.shape:
            return known
        flat = tuple(layout.sizes[part] for part in layout.order)
        before = source.layout.reshape(flat)
        if before is None:
            self.refuse(node, "its input would have to be regrouped in memory", EXPORT_REMEDY)
        after = layout.reshape(tuple(before.sizes[part] for part in before.order))
        if after is None:
            self.refuse(node, "its input would have to be regrouped in memory", EXPORT_REMEDY)
        order = tuple(before.order[after.order.index(place)] for place in range(len(after.sizes)))
        key = f"{source.key} rearranged for {self.label(node)}"
        result = self.declare(key, layout, source.dtype)
        self.emit(
            HostStep(
                name=f"{self.label(node)} input",
                op="Transpose",
                inputs=(source.key,),
                output=key,
                function="rearrange",
                parameters={"sizes": before.sizes, "order": order},
            )
        )
        self._rearranged[source.key, layout] = result
        return result

    # ---- outputs of operators ---------------------------------------------------------------

    def declare(
        self, name: str, layout: Layout, dtype: str, scale: Scale | None = None
    ) -> Activation:
        """Enters a tensor that a node is about to write."""
        self._declare(name, layout, dtype, scale=scale)
        activation = Activation(name, layout, dtype)
        self.activations[name] = activation
        return activation

    def _declare(
        self,
        key: str,
        layout: Layout,
        dtype: str,
        *,
        data: Array | None = None,
        scale: Scale | None = None,
    ) -> None:
        if dtype not in DTYPES:
            raise RowforgeError(
                f"tensor {key!r} has type {dtype}; int8, uint8, int32 and float32 are supported"
            )
        shape, permutation, model_shape = layout.tensor_form()
        quantisation = None
        if scale is not None:
            quantisation = Quantisation((float(scale.scale),), (scale.zero_point,))
        self._tensors[key] = Tensor(
            name=key,
            key=key,
            shape=shape,
            dtype=dtype,
            quantisation=quantisation,
            data=data,
            permutation=permutation,
            model_shape=model_shape,
        )

    def emit(self, node: Node, *absorbed: RawNode) -> None:
        """Appends a node that also does the work of the `absorbed` operators of the model."""
        for other in absorbed:
            self.note(other, COMPUTED_WITH.format(node.name))
        self._nodes.append(replace(node, absorbs=tuple(self._notes)))
        self._notes.clear()

    def note(self, node: RawNode, reason: str) -> None:
        """Reports an operator of the model that has no node of its own."""
        if node.index not in self._noted:
            self._noted.add(node.index)
            self._notes.append((self.label(node), node.op_type, reason))

    def emit_for(self, raw: RawNode, node: Node, *absorbed: RawNode) -> None:
        """Appends the node that serves an operator of the model."""
        self._noted.add(raw.index)
        self.emit(node, *absorbed)

    def emit_host(
        self,
        raw: RawNode,
        function: str,
        inputs: tuple[Activation, ...],
        output: Activation,
        *,
        folded: str = "",
        absorbed: tuple[RawNode, ...] = (),
        reason: str = "",
        **parameters: Any,
    ) -> None:
        """Appends a host step that serves an operator of the model."""
        step = HostStep(
            name=self.label(raw),
            op=raw.op_type,
            inputs=tuple(source.key for source in inputs),
            output=output.key,
            folded=folded,
            reason=reason,
            function=function,
            parameters=parameters,
        )
        self.emit_for(raw, step, *absorbed)

    def relabel(self, raw: RawNode, name: str, source: Activation, layout: Layout) -> Activation:
        """The same stored values as another tensor of the model, at no cost."""
        self._declare(name, layout, source.dtype)
        self.emit_for(
            raw,
            Reshape(
                name=self.label(raw),
                op=raw.op_type,
                inputs=(source.key,),
                output=name,
                folded="the same values under another shape",
            ),
        )
        activation = Activation(source.key, layout, source.dtype)
        self.activations[name] = activation
        return activation

    def reshaped(self, raw: RawNode, source: Activation, shape: Shape) -> Activation:
        """The same stored values under another shape of the graph's tensor."""
        if self._tensors[source.key].shape == shape:
            return source
        key = f"{source.key} as {'x'.join(map(str, shape))} for {self.label(raw)}"
        if key not in self._tensors:
            self._tensors[key] = replace(
                self._tensors[source.key],
                name=key, key=key, shape=shape, data=None, permutation=None, model_shape=None,
            )  # fmt: skip
            self.emit(
                Reshape(
                    name=f"{self.label(raw)} input",
                    op="Reshape",
                    inputs=(source.key,),
                    output=key,
                    folded="the same values under another shape",
                )
            )
        return Activation(key, source.layout, source.dtype)

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
                folded="the same values under another shape",
            ),
        )
        self._aliases[name] = before

    # ---- dequantised values -----------------------------------------------------------------

    def dequantise(self, raw: RawNode, source: Activation, scale: Scale) -> None:
        """Notes the output as stored; its float form costs nothing until something reads it."""
        name = raw.outputs[0]
        self._declare(name, source.layout, "float32")
        self._folded_at[name] = len(self._nodes)
        self.emit_host(
            raw,
            "dequantise_ort",
            (source,),
            Activation(name, source.layout, "float32"),
            folded="whatever reads it works on the stored values",
            scale=(float(scale.scale),),
            zero_point=(scale.zero_point,),
        )
        self.stored_values[name] = Stored(source, scale)

    def _unfold(self, name: str) -> Activation:
        at = self._folded_at[name]
        self._nodes[at] = replace(self._nodes[at], folded="")
        activation = Activation(name, self.stored_values[name].activation.layout, "float32")
        self.activations[name] = activation
        return activation

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
            rounding=Rounding.ORT,
        )

    def _is_known(self, name: str) -> bool:
        return name in self.constants or name in self.quantised_constants

    def define(self, node: RawNode, value: Array) -> None:
        """Ends an operator whose result is known: whoever reads it reads a constant."""
        name = node.outputs[0]
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

    def check_input(self, value: RawInput, shape: Shape) -> None:
        """Refuses an input of another type than graphs have, or one that is too large."""
        if value.dtype not in DTYPES:
            raise RowforgeError(
                f"its input {value.name!r} has type {value.dtype}; float32, int8 and uint8 inputs "
                f"are supported"
            )
        elements = 1
        for size in shape:
            elements *= size
        if elements > MAX_ELEMENTS:
            raise RowforgeError(
                f"its input {value.name!r} of shape {list(shape)} must have at most "
                f"{MAX_ELEMENTS} values"
            )

    def check_elements(self, node: RawNode, shape: Shape) -> None:
        """Refuses a result that could not be held, before anything is allocated."""
        elements = 1
        for size in shape:
            elements *= size
        if any(size < 1 for size in shape) or elements > MAX_ELEMENTS:
            self.refuse(
                node,
                f"its result would have shape {list(shape)}",
                f"sizes must be at least 1, and a tensor may have {MAX_ELEMENTS} values",
            )
