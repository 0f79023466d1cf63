"""VECTOR: element-wise operations and pooling on the global buffer."""

from collections.abc import Callable, Mapping

import numpy as np

from hw.arch.commands import VectorOp
from hw.arch.program.layout import Ints
from sim.functional.errors import require
from sim.functional.results import channel_rows, check_output, finish
from sim.functional.state import State

_BINARY = frozenset({VectorOp.ADD, VectorOp.MUL, VectorOp.ADD16})


def run_vector(state: State, vector: Mapping[str, int]) -> None:
    """Execute a VECTOR command; arrays inside are (blocks, E, F, lanes)."""
    check_output(state, vector)
    require(
        all(vector[name] for name in ("blocks", "rows", "columns")),
        "blocks, rows and columns must be at least 1",
    )
    op = VectorOp(vector["op"])
    order = np.arange(vector["blocks"] * vector["rows"] * vector["columns"])
    reads = _ReadLog(state, order.reshape(vector["blocks"], vector["rows"], vector["columns"]))
    if op in _BINARY:
        acc = _binary(state, vector, op, reads)
        counts = np.ones(acc.shape[1:3], dtype=np.int64)
    else:
        acc, counts = _window(state, vector, op, reads)
    lanes = state.config.lanes
    places = np.indices(acc.shape[:3]).astype(np.int64)
    block, e, f = places[0][..., None], places[1][..., None], places[2][..., None]
    channel = block * lanes + np.arange(lanes)
    words, _ = finish(
        state,
        vector,
        acc,
        address=vector["output"] + e * vector["output_row_stride"] + f,
        channel=channel,
        param_row=_param_rows(state, vector, channel, counts[None, :, :, None]),
    )
    reads.check_writes(words)


def _param_rows(state: State, vector: Mapping[str, int], channel: Ints, counts: Ints) -> Ints:
    require(
        not (vector["by_count"] and vector["by_channel"]),
        "a parameter row cannot follow both count and channel",
    )
    if vector["by_count"]:
        return vector["param"] + counts - 1
    if vector["by_channel"]:
        return channel_rows(state, vector, channel)
    return np.broadcast_to(np.int64(vector["param"]), channel.shape)


class _ReadLog:
    """When the words of operands are read, to refuse results that overwrite them too early."""

    def __init__(self, state: State, order: Ints):
        self._state = state
        self._order = order
        self._last = np.full(state.memory.words, -1, dtype=np.int64)

    def read(self, operand: str, address: Ints, *, signed: bool) -> Ints:
        """Stored values of words, one of every output pixel that is in the masked-out order."""
        return self.read_some(operand, address, self._order, signed=signed)

    def read_some(self, operand: str, address: Ints, order: Ints, *, signed: bool) -> Ints:
        """The same for some output pixels, whose numbers are `order`."""
        memory = self._state.memory
        self._state.count(glb_vector_reads=address.size)
        words = memory.activation_address(address)
        self._state.hazards.check_read(words)
        if self._state.contents is not None:
            self._state.contents.read(f"operand {operand}", words)
        np.maximum.at(self._last, words, np.broadcast_to(order, words.shape))
        return memory.read_words(words, signed=signed)

    def check_writes(self, words: Ints) -> None:
        """Results of shape (blocks, E, F, lanes) must not go to words that are read later."""
        early = self._last[words] > self._order[..., None]
        if early.any():
            require(False, f"word {int(words[early][0])} is overwritten before it is read")
        self._state.hazards.overwrite(words)


def _address(vector: Mapping[str, int], start: str, row: str, plane: str, y: Ints, x: Ints) -> Ints:
    """Word addresses, shape (blocks, E, F), of input rows y (E) and columns x (F)."""
    block = np.arange(vector["blocks"])[:, None, None]
    total: Ints = vector[start] + block * vector[plane] + y[:, None] * vector[row] + x
    return total


def _binary(state: State, vector: Mapping[str, int], op: VectorOp, reads: _ReadLog) -> Ints:
    require(vector["y"] == vector["x"] == 0, "y and x of an operation on two operands must be 0")
    missing = VectorOp.ADD if state.config.array.data_width == 16 else VectorOp.ADD16
    require(op is not missing, f"{op.name} is not built")
    y = np.arange(vector["rows"]) * vector["stride_y"]
    x = np.arange(vector["columns"]) * vector["stride_x"]
    signed = bool(vector["signed"])
    left = reads.read(
        "left", _address(vector, "left", "row_stride", "plane_stride", y, x), signed=signed
    )
    right = reads.read(
        "right",
        _address(vector, "right", "right_row_stride", "right_plane_stride", y, x),
        signed=signed,
    )
    if op is VectorOp.ADD:
        return state.table.read(left & 0xFF)["left"] + state.table.read(right & 0xFF)["right"]
    if op is VectorOp.MUL:
        return (left - vector["left_zero"]) * (right - vector["right_zero"])
    return left + right


def _window(
    state: State, vector: Mapping[str, int], op: VectorOp, reads: _ReadLog
) -> tuple[Ints, Ints]:
    """MAX or SUM over windows, and how many words each window has, shape (E, F)."""
    shape = (vector["blocks"], vector["rows"], vector["columns"], state.config.lanes)
    none = np.iinfo(np.int64).min if op is VectorOp.MAX else 0
    combine: Callable[[Ints, Ints], Ints] = np.maximum if op is VectorOp.MAX else np.add
    acc = np.full(shape, none, dtype=np.int64)
    counts = np.zeros(shape[1:3], dtype=np.int64)
    order = np.arange(shape[0] * shape[1] * shape[2]).reshape(shape[:3])
    for dy in range(vector["window_rows"]):
        y = np.arange(shape[1]) * vector["stride_y"] + vector["y"] + dy
        rows = np.flatnonzero((y >= 0) & (y < vector["height"]))
        for dx in range(vector["window_columns"]):
            x = np.arange(shape[2]) * vector["stride_x"] + vector["x"] + dx
            columns = np.flatnonzero((x >= 0) & (x < vector["width"]))
            if not rows.size or not columns.size:
                continue
            address = _address(vector, "left", "row_stride", "plane_stride", y[rows], x[columns])
            at = np.ix_(np.arange(shape[0]), rows, columns)
            stored = reads.read_some("left", address, order[at], signed=bool(vector["signed"]))
            value = stored if op is VectorOp.MAX else stored - vector["left_zero"]
            acc[at] = combine(acc[at], value)
            counts[np.ix_(rows, columns)] += 1
    require(counts.all(), "a window is empty")
    return acc - (vector["left_zero"] if op is VectorOp.MAX else 0), counts
