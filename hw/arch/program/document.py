"""Program records to and from JSON documents, every value checked on the way in.

Words and constants are not here: a step document only says how many words of the stream are its.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from math import prod
from typing import Any, TypeVar

import numpy as np

from hw.arch.accesses import Access, Accesses, DataType, Direction, Level
from hw.arch.errors import RowforgeError
from hw.arch.program.program import (
    Box,
    Host,
    Layer,
    Load,
    Program,
    ProgramState,
    Query,
    Send,
    Step,
    Store,
    TensorSpec,
)

_BITS = {"int": (8, 16, 32, 64), "uint": (8, 16, 32, 64), "float": (32, 64)}
DTYPES = frozenset({"bool"} | {f"{kind}{bits}" for kind, all_ in _BITS.items() for bits in all_})
MAX_ELEMENTS = 1 << 28  # of one tensor
MAX_WORDS = 1 << 29  # 64-bit words of a program
_MAX_COUNT = 1 << 62
_AXES = ("items", "rows", "columns", "channels")

T = TypeVar("T")


class Document:
    """A JSON object at a known place of a file; accessors check type and range.

    Raises `RowforgeError` with the place, the value and what it must be.
    """

    def __init__(self, value: object, place: str):
        if not isinstance(value, dict):
            raise RowforgeError(f"{place} must be an object, not {_short(value)}")
        self.values: dict[str, Any] = value
        self.place = place

    def _get(self, name: str) -> Any:
        if name not in self.values:
            raise RowforgeError(f"{self.place} must have a {name!r}")
        return self.values[name]

    def _refuse(self, name: str, must: str, value: object) -> RowforgeError:
        return RowforgeError(f"{self.place}.{name} must be {must}, not {_short(value)}")

    def integer(self, name: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self._get(name)
        if not _is_integer(value) or not low <= value <= high:
            raise self._refuse(name, f"a whole number from {low} to {high}", value)
        return int(value)

    def optional(self, name: str) -> int | None:
        """A whole number of at least 0, or nothing."""
        return None if self._get(name) is None else self.integer(name, 0, _MAX_COUNT)

    def number(self, name: str) -> float:
        """A finite number."""
        value = self._get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise self._refuse(name, "a number", value)
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._get(name)
        if not isinstance(value, bool):
            raise self._refuse(name, "true or false", value)
        return value

    def text(self, name: str) -> str:
        """A string."""
        value = self._get(name)
        if not isinstance(value, str):
            raise self._refuse(name, "a text", value)
        return value

    def integers(self, name: str, low: int, high: int) -> tuple[int, ...]:
        """A list of whole numbers from `low` to `high`."""
        value = self._get(name)
        if not isinstance(value, list) or not all(
            _is_integer(item) and low <= item <= high for item in value
        ):
            raise self._refuse(name, f"a list of whole numbers from {low} to {high}", value)
        return tuple(value)

    def objects(self, name: str) -> list["Document"]:
        """A list of objects."""
        value = self._get(name)
        if not isinstance(value, list):
            raise self._refuse(name, "a list", value)
        return [Document(item, f"{self.place}.{name}[{i}]") for i, item in enumerate(value)]

    def object(self, name: str) -> "Document":
        """One object."""
        return Document(self._get(name), f"{self.place}.{name}")

    def mapping(self, name: str) -> dict[str, Any]:
        """An object of free form; its lists become tuples."""
        return {key: _freeze(value) for key, value in self.object(name).values.items()}


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _freeze(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_freeze(item) for item in value)
    if isinstance(value, dict):
        return {key: _freeze(item) for key, item in value.items()}
    return value


def plain(value: Any) -> Any:
    """`value` with NumPy scalars as Python ones, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


# ---- out --------------------------------------------------------------------------------------

_KINDS: dict[type[Any], str] = {
    Send: "send",
    Load: "load",
    Store: "store",
    Query: "query",
    Host: "host",
}


def step_document(step: Step) -> dict[str, Any]:
    """A step without its words, only their number."""
    fields = {name: plain(value) for name, value in vars(step).items() if name != "words"}
    if not isinstance(step, Host):
        fields["words"] = len(step.words)
    if isinstance(step, (Load, Store)):
        fields["box"] = {axis: plain(getattr(step.box, axis)) for axis in _AXES}
    return {"kind": _KINDS[type(step)], **fields}


def layer_document(layer: Layer) -> dict[str, Any]:
    """A layer; its accesses by names."""
    values: dict[str, Any] = plain(vars(layer) | {"accesses": layer.accesses.as_dict()})
    return values


def program_document(program: Program) -> dict[str, Any]:
    """Everything but configuration, words and constants."""
    return {
        "name": program.name,
        "rounding": program.rounding,
        "inputs": list(program.inputs),
        "outputs": list(program.outputs),
        "states": [asdict(state) for state in program.states],
        "tensors": [plain(asdict(tensor)) for tensor in program.tensors],
        "layers": [layer_document(layer) for layer in program.layers],
        "steps": [step_document(step) for step in program.steps],
    }


# ---- in ---------------------------------------------------------------------------------------


def read_shape(document: Document, name: str) -> tuple[int, ...]:
    """A shape with sizes of at least 1 and not too many elements."""
    shape = document.integers(name, 1, MAX_ELEMENTS)
    if len(shape) > 8 or prod(shape) > MAX_ELEMENTS:
        raise RowforgeError(
            f"{document.place}.{name} must have at most 8 axes and {MAX_ELEMENTS} elements, "
            f"not {_short(list(shape))}"
        )
    return shape


def read_dtype(document: Document) -> str:
    """The name of an element type."""
    dtype = document.text("dtype")
    if dtype not in DTYPES:
        raise RowforgeError(
            f"{document.place}.dtype must be one of {', '.join(sorted(DTYPES))}, "
            f"not {_short(dtype)}"
        )
    return dtype


def read_tensor(document: Document) -> TensorSpec:
    """A tensor whose view holds as many elements as its shape."""
    shape, view = read_shape(document, "shape"), read_shape(document, "view")
    if len(view) != 4 or prod(view) != prod(shape):
        raise RowforgeError(
            f"{document.place}.view must be 4 sizes that hold {prod(shape)} elements, "
            f"not {_short(list(view))}"
        )
    return TensorSpec(
        name=document.text("name"),
        key=document.text("key"),
        shape=shape,
        view=(view[0], view[1], view[2], view[3]),
        dtype=read_dtype(document),
        scale=document.number("scale"),
        zero_point=document.integer("zero_point", -(1 << 31), (1 << 31) - 1),
    )


def read_states(
    documents: list[Document], tensors: tuple[TensorSpec, ...], initial: Mapping[int, Any]
) -> tuple[ProgramState, ...]:
    """States whose tensors fit each other, each with an initial value that fits it."""
    states = tuple(_read_state(document, tensors, initial) for document in documents)
    if len({state.read for state in states}) != len(states):
        raise RowforgeError("states must be read from a tensor each, but two name the same one")
    return states


def _read_state(
    document: Document, tensors: tuple[TensorSpec, ...], initial: Mapping[int, Any]
) -> ProgramState:
    state = ProgramState(
        read=document.integer("read", 0, len(tensors) - 1),
        write=document.integer("write", 0, len(tensors) - 1),
    )
    read, write = tensors[state.read], tensors[state.write]
    if (read.dtype, prod(read.shape)) != (write.dtype, prod(write.shape)):
        raise RowforgeError(
            f"{document.place}.write must be a tensor of {prod(read.shape)} elements of "
            f"{read.dtype}, not of {prod(write.shape)} of {write.dtype}"
        )
    first = initial.get(state.read)
    if first is None or (first.shape, str(first.dtype)) != (read.shape, read.dtype):
        raise RowforgeError(
            f"{document.place}.read must be a tensor whose initial value is among the constants"
        )
    return state


def read_accesses(document: Document) -> Accesses:
    """Accesses by the names of `Access`."""
    words: dict[Access, int] = {}
    for level in document.values:
        types = document.object(level)
        for data in types.values:
            directions = types.object(data)
            for direction in directions.values:
                try:
                    access = Access(Level(level), DataType(data), Direction(direction))
                except ValueError:
                    raise RowforgeError(
                        f"{directions.place}.{direction} is no kind of access"
                    ) from None
                words[access] = directions.integer(direction, 0, _MAX_COUNT)
    return Accesses.of(words)


def read_counts(document: Document) -> dict[str, int]:
    """Whole numbers by name."""
    return {name: document.integer(name, 0, _MAX_COUNT) for name in document.values}


def read_layer(document: Document, tensors: int) -> Layer:
    """A layer whose output, if it has one, is a known tensor."""
    where = document.text("where")
    if where not in ("array", "host", "folded"):
        raise RowforgeError(
            f"{document.place}.where must be array, host or folded, not {_short(where)}"
        )
    return Layer(
        name=document.text("name"),
        op=document.text("op"),
        where=where,
        reason=document.text("reason"),
        output=document.integer("output", -1, tensors - 1),
        macs=document.integer("macs", 0, _MAX_COUNT),
        model_cycles=document.optional("model_cycles"),
        computing=document.optional("computing"),
        transfers=read_counts(document.object("transfers")),
        accesses=read_accesses(document.object("accesses")),
        bound=document.text("bound"),
        mapping=document.mapping("mapping"),
        removed=read_counts(document.object("removed")),
    )


def read_box(document: Document, view: tuple[int, ...]) -> Box:
    """A box that is not empty and lies within the view."""
    ranges = []
    for axis, size in zip(_AXES, view, strict=True):
        span = document.integers(axis, 0, size)
        if len(span) != 2 or span[0] >= span[1]:
            raise RowforgeError(
                f"{document.place}.{axis} must be a start and a larger stop, not {list(span)}"
            )
        ranges.append((span[0], span[1]))
    return Box(*ranges)


def read_step(
    document: Document,
    tensors: tuple[TensorSpec, ...],
    layers: int,
    take: Callable[[int], Any],
) -> Step:
    """A step; `take(n)` gives the next n words of the stream."""
    kind = document.text("kind")
    layer = document.integer("layer", -1, layers - 1)
    if kind == "host":
        return Host(
            op=document.text("op"),
            inputs=document.integers("inputs", 0, len(tensors) - 1),
            outputs=document.integers("outputs", 0, len(tensors) - 1),
            attributes=document.mapping("attributes"),
            layer=layer,
        )
    words = take(document.integer("words", 0, MAX_WORDS))
    if kind == "send":
        return Send(words=words, layer=layer)
    if kind == "query":
        return Query(words=words, layer=layer)
    if kind not in ("load", "store"):
        raise RowforgeError(
            f"{document.place}.kind must be one of {', '.join(_KINDS.values())}, not {_short(kind)}"
        )
    tensor = document.integer("tensor", 0, len(tensors) - 1)
    box = read_box(document.object("box"), tensors[tensor].view)
    if kind == "load":
        return Load(words=words, tensor=tensor, box=box, layer=layer)
    return Store(words=words, tensor=tensor, box=box, raw=document.flag("raw"), layer=layer)
