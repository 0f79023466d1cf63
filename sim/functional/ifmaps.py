"""The ifmap engine and network: which words every PE receives in a pass."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.arch.commands import TAG
from hw.arch.program.layout import Ints
from sim.functional.errors import require
from sim.functional.patterns import Columns, Rows
from sim.functional.state import State

_TAGS = 1 << TAG


@dataclass(frozen=True)
class Windows:
    """Windows of a pass.

    `values` (streams, F, taps): the windows of every distinct stream of ifmap words;
    `stream` (rows, columns): which of them a PE receives, for active rows and columns.
    """

    values: NDArray[np.float64]
    stream: Ints


@dataclass(frozen=True)
class _Sweep:
    """Rows of ifmap that a pass streams, in order for one pixel: arrays of equal length."""

    slot: Ints
    item: Ints
    row: Ints  # h: ifmap rows from the pass's first
    tag: Ints
    address: Ints  # words from the pass's ifmap address, channel 0 of the slot's block


def pass_windows(
    state: State,
    constants: Mapping[str, int],
    bases: Mapping[str, int],
    rows: Rows,
    columns: Columns,
) -> Windows:
    """Stream the ifmaps of a pass; `SemanticsError` if a PE gets too few or too many words."""
    sweep = _sweep(constants, rows)
    operands = _read(state, constants, bases, rows, sweep)
    row_index, tags = _wanted(rows, columns)
    wanted = row_index[:, None] * _TAGS + tags
    keys, stream = np.unique(wanted, return_inverse=True)
    offered = sweep.slot * _TAGS + sweep.tag
    streams = [_words(constants, operands, np.flatnonzero(offered == key), key) for key in keys]
    window = np.arange(constants["windows"])[:, None] * constants["advance"]
    taps = window + np.arange(constants["taps"])
    return Windows(
        values=np.stack(streams)[:, taps].astype(np.float64),
        stream=stream.reshape(wanted.shape).astype(np.int64),
    )


def _sweep(constants: Mapping[str, int], rows: Rows) -> _Sweep:
    parts = []
    slots = rows.slots
    for number in range(len(slots["tag"])):
        slot = {name: int(column[number]) for name, column in slots.items()}
        require(slot["outer"] and slot["inner"], f"slot {number} streams no row")
        item, outer, inner = np.meshgrid(
            np.arange(constants["items"]),
            np.arange(slot["outer"]),
            np.arange(slot["inner"]),
            indexing="ij",
        )
        row = slot["tag"] + outer * slot["outer_step"] + inner * slot["inner_step"]
        tag = row + item * constants["item_tag"]
        require(int(tag.max()) < _TAGS, f"slot {number} has tag {int(tag.max())}")
        address = (
            slot["address"]
            + item * constants["item_stride"]
            + outer * slot["outer_words"]
            + inner * slot["inner_words"]
        )
        parts.append(
            np.stack([np.full(row.size, number), item.flat, row.flat, tag.flat, address.flat])
        )
    return _Sweep(*np.concatenate(parts, axis=1).astype(np.int64))


def _read(
    state: State,
    constants: Mapping[str, int],
    bases: Mapping[str, int],
    rows: Rows,
    sweep: _Sweep,
) -> Ints:
    """Operands of every ifmap row of the sweep: shape (rows, pixels, channels)."""
    lanes = state.config.lanes
    pixel = _pixels(constants)
    slot = {name: column[sweep.slot] for name, column in rows.slots.items()}
    _check_lanes(state, rows)
    y = bases["y"] + sweep.row
    x = bases["x"] + pixel + slot["x"][:, None]
    exists = ((y >= 0) & (y < constants["height"]))[:, None] & (x >= 0) & (x < constants["width"])
    channel = slot["lane"][:, None] + np.arange(constants["channels"])
    start = bases["ifmap"] + sweep.address[:, None] + pixel
    block = channel // lanes * constants["plane_stride"]
    address = start[:, :, None] + block[:, None, :]
    words = state.memory.activation_address(address[exists])
    lane = np.broadcast_to((channel % lanes)[:, None, :], address.shape)[exists]
    state.hazards.read(words)
    if state.contents is not None:
        _check_contents(state, sweep, address, exists)
    stored = state.memory.read_lanes(words, lane, signed=bool(constants["signed"]))
    operands = np.zeros(address.shape, dtype=np.int64)
    operands[exists] = stored - constants["zero"]
    if state.nonzero is not None:
        state.nonzero.append((operands != 0).transpose(1, 0, 2).reshape(-1))
    state.count(
        glb_ifmap_words=int(exists.sum()) * constants["pixel_beats"],
        ifmap_words_sent=operands.size,
    )
    return operands


def _check_contents(state: State, sweep: _Sweep, address: Ints, exists: NDArray[np.bool_]) -> None:
    """Each item of the pass must be one thing in the buffer."""
    assert state.contents is not None
    state.contents.renew()
    for item in np.unique(sweep.item).tolist():
        chosen = sweep.item == item
        words = state.memory.activation_address(address[chosen][exists[chosen]])
        state.contents.read(f"item {item} of the ifmaps", words)


def _pixels(constants: Mapping[str, int]) -> Ints:
    """Column of every pixel, counted from the first one."""
    outer = np.arange(constants["pixel_outer"]) * constants["pixel_step"]
    pixels = outer[:, None] + np.arange(constants["pixel_inner"])
    return pixels.reshape(-1).astype(np.int64)


def _check_lanes(state: State, rows: Rows) -> None:
    lane, config = rows.slots["lane"], state.config
    wrong = (lane % config.noc.ifmap != 0) | (lane >= config.lanes)
    require(
        not wrong.any(),
        f"a slot's lane must be a multiple of {config.noc.ifmap} below {config.lanes}, "
        f"not {lane.tolist()}",
    )


def _wanted(rows: Rows, columns: Columns) -> tuple[Ints, Ints]:
    """Slot of every active row; column tag of every active PE, shape (rows, columns)."""
    tags = columns.columns["base"] + rows.rows["ioff"][rows.active][:, None]
    require(int(tags.max()) < _TAGS, f"a PE wants tag {int(tags.max())}, more than {_TAGS - 1}")
    return rows.rows["iid"][rows.active], tags


def _words(constants: Mapping[str, int], operands: Ints, found: Ints, key: int) -> Ints:
    """The words that PEs with one pair of tags receive, in order."""
    words = operands[found].transpose(1, 0, 2).reshape(-1)
    need = (constants["windows"] - 1) * constants["advance"] + constants["taps"]
    if len(words) != need:
        slot, tag = divmod(int(key), _TAGS)
        require(
            False,
            f"PEs with slot {slot} and tag {tag} receive {len(words)} ifmap words, not {need}",
        )
    return words
