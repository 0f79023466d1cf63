"""The tensors of a program while it is made: where they are and under which view."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.ir.graph import Graph, GraphState, Tensor
from compiler.ir.ops import Concat, Conv, HostStep, Move, Node, Pad, Place, Pool, Reshape
from compiler.operators.operation import Shape4
from compiler.removal.rewrite import is_expansion
from compiler.schedule.scheduler import Scheduler, Value
from compiler.stream.stream import StreamBuilder
from hw.arch.errors import RowforgeError
from hw.arch.program import Host, TensorSpec


class TensorTable:
    """Tensors by key; they are declared when something first writes or reads them.

    A reshaped tensor shares the values of its root, the tensor before all reshapes. Where operators
    need a tensor under different views, or in the model's own layout, the host rearranges it.

    Attributes
    ----------
    specs : the program's tensors
    constants : values of those that are known, and initial values of states, by index
    """

    def __init__(
        self, graph: Graph, stream: StreamBuilder, scheduler: Scheduler, *, keep_all: bool
    ):
        self.graph, self.stream, self.scheduler = graph, stream, scheduler
        self.specs: list[TensorSpec] = []
        self.constants: dict[int, NDArray[Any]] = {}
        self._keep_all = keep_all
        self._values: dict[str, Value] = {}
        self._roots: dict[str, str] = {}
        self._on_host: dict[str, int] = {}
        self._as_modelled: dict[str, int] = {}
        for node in graph.nodes:
            if isinstance(node, Reshape):
                self._roots[node.output] = self.root(node.inputs[0])
        self._readers, self._hosted = self._liveness()

    # ---- declaration ----------------------------------------------------------------------------

    def enter(self, key: str, view: Shape4 | None = None, *, on_host: bool = False) -> Value:
        """Declares a tensor about to be written; its view follows its first reader."""
        tensor = self.graph.tensors[key]
        shape = view or self._wanted_view(key) or default_view(tensor.shape)
        index = self._spec(key, shape, _suffix(tensor))
        value = Value(key, index, shape, raw=tensor.dtype == "int32")
        value.uses = self._uses(key)
        value.keep = self._kept(key)
        value.on_host = on_host
        self._values[key] = value
        return value

    def enter_constant(self, key: str, data: NDArray[Any]) -> Value:
        """Declares a tensor whose values are known."""
        value = self.enter(key, on_host=True)
        self.constants[value.tensor] = np.asarray(data, order="C")
        return value

    def withdraw(self, key: str) -> None:
        """Takes back an output that was declared last and that nothing will write after all."""
        value = self._values.pop(key, None)
        if value is not None:
            assert value.tensor == len(self.specs) - 1
            self.specs.pop()

    def enter_array(self, name: str, data: NDArray[Any]) -> int:
        """Declares an array that no tensor of the graph stands for; its index."""
        shape, view = data.shape, default_view(data.shape)
        self.specs.append(TensorSpec(name, name, shape, view, data.dtype.name))
        self.constants[len(self.specs) - 1] = np.ascontiguousarray(data)
        return len(self.specs) - 1

    def enter_input(self, key: str) -> int:
        """Declares an input of the model; the index of the array that the user gives."""
        tensor = self.graph.tensors[key]
        shape = _model_shape(tensor)
        if shape is None:
            return self.enter(key, on_host=True).tensor
        given = self._spec(key, shape=shape)
        value = self.enter(key, on_host=True)
        array = given
        if tensor.permutation is not None:
            moved = tuple(tensor.shape[axis] for axis in tensor.permutation)
            array = self._host("reshape", array, key, " as moved", moved, {"shape": moved})
            inverse = tuple(int(axis) for axis in np.argsort(tensor.permutation))
            step = Host("transpose", (array,), (value.tensor,), {"permutation": inverse})
        else:
            step = Host("reshape", (array,), (value.tensor,), {"shape": tensor.shape})
        self.stream.host(step)
        return given

    def enter_state(self, state: GraphState) -> int:
        """Declares the tensor in which an inference finds a state, and what the first one finds."""
        index = self.enter_input(state.read)
        self.constants[index] = np.ascontiguousarray(state.initial)
        return index

    def _spec(
        self,
        key: str,
        view: Shape4 | None = None,
        suffix: str = "",
        shape: tuple[int, ...] | None = None,
    ) -> int:
        tensor = self.graph.tensors[key]
        quantisation = tensor.quantisation
        shape = shape or tensor.shape
        self.specs.append(
            TensorSpec(
                name=tensor.name + suffix,
                key=tensor.key + suffix,
                shape=shape,
                view=view or default_view(shape),
                dtype=tensor.dtype,
                scale=quantisation.scale[0] if quantisation else 1.0,
                zero_point=quantisation.zero_point[0] if quantisation else 0,
            )
        )
        return len(self.specs) - 1

    # ---- what operators read --------------------------------------------------------------------

    def root(self, key: str) -> str:
        """The tensor whose values a key names: reshapes only relabel."""
        return self._roots.get(key, key)

    def value(self, key: str) -> Value:
        """The values that a key names."""
        key = self.root(key)
        if key not in self._values:
            data = self.graph.tensors[key].data
            if data is None:
                raise RowforgeError(f"nothing has written tensor {key}")
            return self.enter_constant(key, data)
        return self._values[key]

    def index(self, key: str) -> int:
        """Index of the host tensor of a key's values, -1 if there is none."""
        value = self._values.get(self.root(key))
        return -1 if value is None else value.tensor

    def operands(self, node: Node) -> list[Value]:
        """The values that a node reads on the array, each under the view that it needs."""
        values = [self.value(key) for key in node.inputs]
        if isinstance(node, Concat | Pad | Move):
            shapes = [self.graph.tensors[key].shape for key in node.inputs]
            views = [default_view(shape) for shape in shapes]
        else:
            views = [view_of(node) or values[0].shape] * len(values)
        return [self._viewed(value, view) for value, view in zip(values, views, strict=True)]

    def _viewed(self, value: Value, view: Shape4) -> Value:
        """The value under another view, which costs a way through the host."""
        if value.shape == view:
            return value
        suffix = f" as {'x'.join(map(str, view))}"
        key = value.key + suffix
        if key not in self._values:
            self.scheduler.to_host(value)
            shape = self.graph.tensors[value.key].shape
            attributes = {"shape": shape}
            index = self._host("reshape", value.tensor, value.key, suffix, shape, attributes, view)
            self._values[key] = Value(key, index, view, raw=value.raw, on_host=True)
            self._values[key].uses = list(value.uses)
        return self._values[key]

    def _host(
        self,
        op: str,
        source: int,
        key: str,
        suffix: str,
        shape: tuple[int, ...],
        attributes: dict[str, Any],
        view: Shape4 | None = None,
    ) -> int:
        """A new host tensor made from another one."""
        index = self._spec(key, view, suffix, shape)
        self.stream.host(Host(op, (source,), (index,), attributes))
        return index

    # ---- what the host reads --------------------------------------------------------------------

    def host_tensor(self, key: str) -> int:
        """Index of a tensor that the host has in its own shape, bringing it there if need be."""
        if key in self._on_host:
            return self._on_host[key]
        producer = self.graph.producer(key)
        source = self.graph.producer(self.root(key))
        if isinstance(producer, Pad) and producer.folded:
            index = self._folded_pad(producer)
        elif isinstance(source, HostStep) and source.folded:
            index = self._folded_step(key, source)
        else:
            value = self.value(key)
            self.scheduler.to_host(value)
            index = value.tensor
            if self.root(key) != key:
                tensor = self.graph.tensors[key]
                attributes = {"shape": tensor.shape}
                suffix = _suffix(tensor)
                index = self._host("reshape", index, key, suffix, tensor.shape, attributes)
        self._on_host[key] = index
        return index

    def on_host(self, key: str, default: int) -> int:
        """Index of a tensor that the host has by now, in the model's layout if it can."""
        return self._as_modelled.get(key, self._on_host.get(key, default))

    def output_tensor(self, key: str) -> int:
        """Index of a tensor in the model's own layout."""
        if key not in self._as_modelled:
            self._as_modelled[key] = self._in_model_layout(key)
        return self._as_modelled[key]

    def _in_model_layout(self, key: str) -> int:
        tensor = self.graph.tensors[key]
        index = self.host_tensor(key)
        shape = _model_shape(tensor)
        if shape is None:
            return index
        if tensor.permutation is not None:
            moved = tuple(tensor.shape[axis] for axis in tensor.permutation)
            index = self._host(
                "transpose", index, key, " moved", moved, {"permutation": tensor.permutation}
            )
        return self._host("reshape", index, key, "", shape, {"shape": shape})

    def _folded_pad(self, node: Pad) -> int:
        """The output of a folded pad, which the host recomputes for a dump."""
        source = self.host_tensor(node.inputs[0])
        tensor = self.graph.tensors[node.output]
        suffix, attributes = _suffix(tensor), pad_attributes(node)
        return self._host("pad", source, node.output, suffix, tensor.shape, attributes)

    def _folded_step(self, key: str, node: HostStep) -> int:
        """The output of a folded host step, or a relabelling of it, computed for a dump."""
        tensor = self.graph.tensors[key]
        suffix, shape = _suffix(tensor), tensor.shape
        if key != node.output:
            index = self.host_tensor(node.output)
            return self._host("reshape", index, key, suffix, shape, {"shape": shape})
        inputs = tuple(self.host_tensor(source) for source in node.inputs)
        index = self._spec(key, suffix=suffix)
        self.stream.host(Host(node.function, inputs, (index,), dict(node.parameters)))
        return index

    # ---- liveness -------------------------------------------------------------------------------

    def is_read(self, key: str) -> bool:
        """Whether a node that is served, or the model's user, reads a tensor."""
        readers = (n for n in self.graph.nodes if not n.folded or isinstance(n, Reshape))
        return key in self.graph.sinks or any(key in node.inputs for node in readers)

    def _liveness(self) -> tuple[dict[str, list[int]], set[str]]:
        """Positions of the array's readers by root; the roots that the host needs in the end."""
        readers: dict[str, list[int]] = {}
        hosted = {self.root(key) for key in self.graph.sinks}
        for position, node in enumerate(self.graph.nodes):
            roots = {self.root(key) for key in node.inputs}
            if isinstance(node, HostStep) and not node.folded:
                hosted |= roots
            if node.place is Place.ARRAY:
                for root in roots:
                    readers.setdefault(root, []).append(position)
        for node in reversed(self.graph.nodes):
            if is_expansion(node) and node.output in hosted:
                hosted.add(self.root(node.inputs[0]))
        return readers, hosted

    def _uses(self, key: str) -> list[int]:
        return list(self._readers.get(key, ()))

    def _kept(self, key: str) -> bool:
        """Whether the host needs the tensor: as an output, for a host step, for a dump."""
        return self._keep_all or key in self._hosted

    def _wanted_view(self, key: str) -> Shape4 | None:
        """The view under which the first array reader wants a tensor."""
        views = (view_of(self.graph.nodes[position]) for position in self._uses(key))
        return next((view for view in views if view is not None), None)


def pad_attributes(node: Pad) -> dict[str, Any]:
    """Attributes of the host's `Pad`."""
    before, after = (tuple(pair[end] for pair in node.pads) for end in (0, 1))
    return {"before": before, "after": after, "value": node.value}


def view_of(node: Node) -> Shape4 | None:
    """The view that a node demands of its input."""
    if isinstance(node, Conv | Pool):
        return (node.batch, *node.image)
    return None


def default_view(shape: tuple[int, ...]) -> Shape4:
    """Items, height, width, channels of a tensor whose reader does not say: trailing axes last."""
    if len(shape) > 4:
        return (1, 1, prod(shape[:-1]), shape[-1])
    if len(shape) == 2:
        return (1, shape[0], 1, shape[1])
    padded = (1,) * (4 - len(shape)) + tuple(shape)
    return padded[0], padded[1], padded[2], padded[3]


def _suffix(tensor: Tensor) -> str:
    """What tells the stored form of a tensor from the model's own, where they differ."""
    return "" if _model_shape(tensor) is None else " as stored"


def _model_shape(tensor: Tensor) -> tuple[int, ...] | None:
    """The model's own shape where its layout is another than the graph's."""
    if tensor.model_shape is not None:
        return tensor.model_shape
    if tensor.permutation is not None:
        return tuple(tensor.shape[axis] for axis in tensor.permutation)
    return None
