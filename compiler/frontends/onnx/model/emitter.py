"""What the ONNX front end writes: tensors, nodes, layouts and notes for the report."""

from dataclasses import replace
from typing import Any, NoReturn

from compiler.frontends.onnx.model.layout import Layout, Shape
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.reader import RawOnnxModel
from compiler.frontends.onnx.model.values import EXPORT_REMEDY, Activation, Scale
from compiler.ir.graph import DTYPES, MAX_ELEMENTS, Quantisation, Tensor
from compiler.ir.ops import RELABELLED, Array, HostStep, Node, Reshape
from hw.arch.errors import RowforgeError


class Emitter:
    """Collects tensors and nodes of a graph.

    Attributes
    ----------
    raw : the model
    activations : tensors of the graph by their names in the model
    """

    def __init__(self, raw: RawOnnxModel) -> None:
        self.raw = raw
        self.activations: dict[str, Activation] = {}
        self._tensors: dict[str, Tensor] = {}
        self._nodes: list[Node] = []
        self._notes: list[tuple[str, str, str]] = []
        self._noted: set[int] = set()
        self._folded_at: dict[str, tuple[int, Layout]] = {}
        self._rearranged: dict[tuple[str, Layout, Layout], Activation] = {}
        self._labels: dict[int, str] = {}
        self._names: dict[str, int] = {}
        taken: set[str] = set()
        for node in raw.nodes:
            name = " ".join(node.name.split())
            label = name if name and name not in taken else node.label
            taken.add(label)
            self._labels[node.index] = label

    # ---- names, refusals --------------------------------------------------------------------

    def label(self, node: RawNode) -> str:
        """The node's own name where it has one that is unique."""
        return self._labels[node.index]

    def refuse(self, node: RawNode, reason: str, remedy: str) -> NoReturn:
        """Raises the one sentence that names operator, node, position, reason and what helps."""
        node.refuse(reason, remedy)

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

    # ---- outputs of operators ---------------------------------------------------------------

    def declare(
        self, name: str, layout: Layout, dtype: str, scale: Scale | None = None
    ) -> Activation:
        """Enters a tensor that a node is about to write."""
        self._declare(name, layout, dtype, scale=scale)
        activation = Activation(name, layout, dtype)
        self.activations[name] = activation
        return activation

    def declare_folded(self, name: str, shape: Shape) -> Activation:
        """Enters a float tensor that nothing computes unless a dump asks for it."""
        layout = Layout.plain(shape)
        self._declare(name, layout, "float32")
        return Activation(name, layout, "float32")

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
                f"tensor {key!r} has type {dtype}; {', '.join(DTYPES)} are supported"
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
            self.note(other, f"computed together with {node.name}")
        # An operator with several quantised forms is computed once for each.
        count = self._names[node.name] = self._names.get(node.name, 0) + 1
        name = node.name if count == 1 else f"{node.name} ({count})"
        self._nodes.append(replace(node, name=name, absorbs=tuple(self._notes)))
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

    def emit_folded(
        self,
        step: HostStep,
        layout: Layout,
        dtype: str,
        raw: RawNode | None = None,
    ) -> None:
        """Appends a host step that costs nothing until something reads its result (`unfold`).

        `raw` is the operator of the model that the step serves, if it is one's only node.
        """
        self._declare(step.output, layout, dtype)
        self._folded_at[step.output] = len(self._nodes), layout
        if raw is None:
            self.emit(step)
        else:
            self.emit_for(raw, step)

    def unfold(self, name: str) -> Activation:
        """The result of a folded step, which is computed from now on."""
        at, layout = self._folded_at[name]
        self._nodes[at] = replace(self._nodes[at], folded="")
        self.activations[name] = Activation(name, layout, self._tensors[name].dtype)
        return self.activations[name]

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
                folded=RELABELLED,
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
                    folded=RELABELLED,
                )
            )
        return Activation(key, source.layout, source.dtype)

    def in_form(self, raw: RawNode, source: Activation) -> Activation:
        """The activation as a graph tensor that has its own axes, not those of another one."""
        return self.reshaped(raw, source, source.layout.tensor_form()[0])

    # ---- layouts ----------------------------------------------------------------------------

    def has_tensor(self, key: str) -> bool:
        """Whether a tensor of this key exists."""
        return key in self._tensors

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
        # Transposed and reshaped forms of one tensor share its key: the form that is seen counts.
        known = self._rearranged.get((source.key, source.layout, layout))
        if known is not None:
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
        if key in self._tensors:  # the operator reads several forms of one tensor
            key += f" ({len(self._rearranged)})"
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
        self._rearranged[source.key, source.layout, layout] = result
        return result
