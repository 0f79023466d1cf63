"""The quantised graph: what every front end yields and all that the rest of the compiler sees."""

from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from compiler.ir.ops import Array, Conv, HostStep, Mul, Node, Rescale
from hw.arch.errors import RowforgeError
from numerics.quantisation import FIXED_RULES, INTEGER_RANGES, Requant, RoundingRule

DTYPES = (*INTEGER_RANGES, "int64", "float32", "bool")
MAX_ELEMENTS = 1 << 26  # of one tensor: larger ones come from damaged files
MAX_TOTAL = 1 << 28  # values of all tensors that operators write; the golden model keeps them all
MAX_COMPUTED = 2048  # operators that compute; real networks have some hundreds
MAX_SOFTMAX = 1 << 20  # values of a softmax, which the host computes in many passes


@dataclass(frozen=True)
class Quantisation:
    """real = scale * (stored - zero_point), per tensor (length 1) or per slice along `axis`.

    Scales are the model's float32 numbers held as Python floats.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int = 0

    @property
    def per_tensor(self) -> bool:
        """One scale and zero point for all values."""
        return len(self.scale) == 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Tensor:
    """A value of the graph.

    `name` is the model's name for it, `key` its unique name in the graph and in dumps. The
    accelerator sees NHWC; where the model's own layout differs, the model's tensor is this one
    transposed by `permutation` (if given) and reshaped to `model_shape` (if given).
    """

    name: str
    key: str
    shape: tuple[int, ...]
    dtype: str
    quantisation: Quantisation | None = None
    data: Array | None = None
    permutation: tuple[int, ...] | None = None
    model_shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise RowforgeError(f"{self.key}: type must be one of {', '.join(DTYPES)}")
        if any(size < 1 for size in self.shape) or self.elements > MAX_ELEMENTS:
            raise RowforgeError(
                f"{self.key}: shape must have sizes of at least 1 and at most {MAX_ELEMENTS} "
                f"elements, not {list(self.shape)}"
            )
        if self.data is not None and self.data.shape != self.shape:
            raise RowforgeError(f"{self.key}: constant data must have shape {list(self.shape)}")

    @property
    def elements(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Size of the stored values."""
        return self.elements * np.dtype(self.dtype).itemsize

    def in_model_layout(self, array: Array) -> Array:
        """An array of this tensor (leading size free) as the model itself would hold it."""
        if self.permutation is not None:
            array = array.transpose(self.permutation)
        if self.model_shape is not None:
            array = array.reshape((array.size // prod(self.model_shape[1:]), *self.model_shape[1:]))
        return array

    def from_model_layout(self, array: Array) -> Array:
        """The inverse of `in_model_layout`."""
        if self.permutation is None:
            return array.reshape((-1, *self.shape[1:])) if self.shape else array
        moved = tuple(self.shape[axis] for axis in self.permutation)
        inverse = np.argsort(self.permutation)
        return array.reshape((-1, *moved[1:])).transpose(inverse)


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphState:
    """A value that lives from one inference to the next.

    An inference finds it in the tensor `read`, which no node writes, and leaves the next one's in
    the tensor `write`, of the same type and number of elements. The first one finds `initial`, an
    array of the tensor `read`.
    """

    read: str
    write: str
    initial: Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Graph:
    """Nodes in an order in which they can run; tensors by key; one rounding mode for all stages.

    `inputs` and `outputs` are the user's; `sources` and `sinks` are these and the states'.
    Checked when made: every key is known, every tensor is written once and before it is read.
    """

    name: str
    tensors: dict[str, Tensor]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rounding: RoundingRule = RoundingRule.TFLM
    states: tuple[GraphState, ...] = ()
    _producers: dict[str, Node] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ready = {key for key, tensor in self.tensors.items() if tensor.data is not None}
        ready.update(self.sources)
        producers: dict[str, Node] = {}
        for key in self.sources + self.sinks:
            self._known(key, self.name)
        for node in self.nodes:
            for key in node.inputs:
                self._known(key, node.name)
                if key not in ready:
                    raise RowforgeError(f"{node.name} reads {key} before anything has written it")
            self._known(node.output, node.name)
            if node.output in ready:
                raise RowforgeError(f"{node.name} writes {node.output}, which exists already")
            ready.add(node.output)
            producers[node.output] = node
        self._check_sizes()
        missing = [key for key in self.sinks if key not in ready]
        if missing:
            raise RowforgeError(f"nothing writes the model's output {missing[0]}")
        self._check_states()
        object.__setattr__(self, "_producers", producers)

    @property
    def sources(self) -> tuple[str, ...]:
        """The tensors that are there before any node runs, constants apart."""
        return self.inputs + tuple(state.read for state in self.states)

    @property
    def sinks(self) -> tuple[str, ...]:
        """The tensors that must be there in the end; one may be so for several reasons."""
        return self.outputs + tuple(state.write for state in self.states)

    def _check_states(self) -> None:
        if len(set(self.sources)) != len(self.sources):
            raise RowforgeError(f"{self.name}: a tensor is read as two inputs or states")
        for state in self.states:
            read, write = self.tensors[state.read], self.tensors[state.write]
            if (read.dtype, read.elements) != (write.dtype, write.elements):
                raise RowforgeError(
                    f"{state.read} keeps {read.elements} values of {read.dtype}, but {state.write} "
                    f"has {write.elements} of {write.dtype}"
                )
            if state.initial.shape != read.shape or state.initial.dtype != np.dtype(read.dtype):
                raise RowforgeError(
                    f"{state.read}: the initial value must be of its shape and type"
                )

    def _check_sizes(self) -> None:
        total, computed = 0, [node for node in self.nodes if not node.folded]
        if len(computed) > MAX_COMPUTED:
            raise RowforgeError(
                f"{computed[MAX_COMPUTED].name}: the model has {len(computed)} operators that "
                f"compute, more than {MAX_COMPUTED}; cut it in several"
            )
        for node in computed:
            elements = self.tensors[node.output].elements
            total += elements
            heavy = isinstance(node, HostStep) and "softmax" in node.function
            if heavy and elements > MAX_SOFTMAX:
                raise RowforgeError(
                    f"{node.name}: {node.op} of {elements} values takes the host too long: at most "
                    f"{MAX_SOFTMAX}; end the model before it"
                )
            if total > MAX_TOTAL:
                raise RowforgeError(
                    f"{node.name}: with its output the model's tensors hold {total} values, more "
                    f"than {MAX_TOTAL}; use smaller inputs or cut the model in two"
                )

    def _known(self, key: str, reader: str) -> None:
        if key not in self.tensors:
            raise RowforgeError(f"{reader} names the unknown tensor {key!r}")

    def producer(self, key: str) -> Node | None:
        """The node that writes a tensor; None for inputs and constants."""
        return self._producers.get(key)

    def consumers(self, key: str) -> tuple[Node, ...]:
        """The nodes that read a tensor, in order."""
        return tuple(node for node in self.nodes if key in node.inputs)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(node.macs for node in self.nodes if isinstance(node, Conv))

    def with_rounding(self, rounding: RoundingRule) -> "Graph":
        """The same graph with every output stage that rounds in another mode."""
        if rounding in FIXED_RULES:
            raise RowforgeError(f"rounding must be tflm, ort or single, not {rounding.value}")
        nodes = tuple(_with_rounding(node, rounding) for node in self.nodes)
        return replace(self, nodes=nodes, rounding=rounding)


def _with_rounding(node: Node, rounding: RoundingRule) -> Node:
    if isinstance(node, Conv | Mul | Rescale) and isinstance(node.stage, Requant):
        try:
            return replace(node, stage=node.stage.with_rounding(rounding))
        except RowforgeError as error:
            raise RowforgeError(f"{node.name}: {error}") from None
    return node
