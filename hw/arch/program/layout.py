"""Where data lies in the global buffer and in link words, as vectorised NumPy packing.

The layouts themselves are described in `docs/architecture.md`; everything is little-endian, so a
run of 64-bit link words is the byte image of what it carries.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from hw.arch.commands import ADDRESS
from hw.arch.config import Config
from hw.arch.entries import PARAM, SHIFTS, SHORT_PARAM, short_params_words
from hw.arch.errors import RowforgeError
from hw.arch.fields import WORD_BITS, Struct
from hw.arch.program.program import Box, Words

Ints: TypeAlias = NDArray[np.int64]

RAW_BITS = 32
MOST_SPREAD = 3  # channels of a pixel that LOAD spreads over a buffer word
_LINK_BYTES = WORD_BITS // 8
_LINK_WORD = np.dtype("<u8")


def to_link_words(data: bytes | NDArray[Any]) -> Words:
    """The little-endian byte image of `data` as 64-bit words, the last one padded with 0."""
    image = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
    image += bytes(-len(image) % _LINK_BYTES)
    return np.frombuffer(image, dtype=_LINK_WORD).astype(np.uint64)


def from_link_words(words: Words, size: int) -> bytes:
    """The first `size` bytes that the words carry; `RowforgeError` unless they just fit."""
    if len(words) != -(-size // _LINK_BYTES):
        raise RowforgeError(
            f"a block of {size} bytes must be {-(-size // _LINK_BYTES)} link words, "
            f"not {len(words)}"
        )
    return np.ascontiguousarray(words, dtype=_LINK_WORD).tobytes()[:size]


# ---- activations ------------------------------------------------------------------------------


def channels_per_word(config: Config, *, raw: bool = False) -> int:
    """Channels in a buffer word: `lanes`, or how many 32-bit elements fit in RAW form."""
    return config.buffer.width // RAW_BITS if raw else config.lanes


def channel_blocks(config: Config, channels: int, *, raw: bool = False) -> int:
    """Buffer words that `channels` channels of one pixel take."""
    return -(-channels // channels_per_word(config, raw=raw))


def box_shape(box: Box) -> tuple[int, int, int, int]:
    """Items, rows, columns and channels of a box."""
    items, rows, columns, channels = (
        stop - start for start, stop in (box.items, box.rows, box.columns, box.channels)
    )
    return items, rows, columns, channels


def box_words(config: Config, box: Box, *, raw: bool = False) -> int:
    """Buffer words of a box in the activation layout."""
    items, rows, columns, channels = box_shape(box)
    return items * channel_blocks(config, channels, raw=raw) * rows * columns


def link_words(config: Config, buffer_words: int) -> int:
    """64-bit words that carry so many buffer words without gaps."""
    return -(-buffer_words * config.buffer.width // WORD_BITS)


def spread_channels(config: Config, box: Box, *, raw: bool = False) -> int:
    """Channels of a pixel that LOAD takes without gaps; 0 for a box of which it takes whole words.

    They lie in the first lanes of a buffer word, and the others are 0.
    """
    channels = box_shape(box)[3]
    return channels if channels <= MOST_SPREAD and channels < config.lanes and not raw else 0


def load_words(config: Config, box: Box, *, raw: bool = False) -> int:
    """64-bit words of a LOAD's payload."""
    bits = spread_channels(config, box, raw=raw) * config.array.data_width
    return -(-box_words(config, box, raw=raw) * (bits or config.buffer.width) // WORD_BITS)


def region(
    config: Config,
    box: Box,
    *,
    address: int,
    row_stride: int,
    plane_stride: int,
    raw: bool = False,
    load: bool = False,
) -> dict[str, int]:
    """The `REGION` of a box: a run is a row of pixels, a plane a channel block of an item.

    Planes are ordered by item, then channel block: items lie `blocks * plane_stride` words apart.
    The strides count modulo 2^ADDRESS. `load`: of LOAD, not of STORE.
    """
    items, rows, columns, channels = box_shape(box)
    moved = load_words if load else _stored_words
    return {
        "words": moved(config, box, raw=raw),
        "channels": spread_channels(config, box, raw=raw) if load else 0,
        "address": address,
        "run": columns,
        "rows": rows,
        "planes": items * channel_blocks(config, channels, raw=raw),
        "row_stride": row_stride % (1 << ADDRESS),
        "plane_stride": plane_stride % (1 << ADDRESS),
    }


def _stored_words(config: Config, box: Box, *, raw: bool) -> int:
    return link_words(config, box_words(config, box, raw=raw))


def element_type(config: Config, dtype: DTypeLike, *, raw: bool = False) -> np.dtype[Any]:
    """The little-endian type of elements in the buffer; `RowforgeError` if `dtype` is another."""
    kind = np.dtype(dtype)
    bits = RAW_BITS if raw else config.array.data_width
    if kind.kind not in "iu" or kind.itemsize * 8 != bits:
        raise RowforgeError(f"elements in the buffer must be integers of {bits} bits, not {kind}")
    return kind.newbyteorder("<")


def pack_box(config: Config, view: NDArray[Any], box: Box, *, raw: bool = False) -> Words:
    """Link words of a box of a tensor, as STORE's data block holds it; LOAD's: `pack_load`.

    Order: item, channel block, row, column, lane. The box's first channel lies in lane 0; lanes
    after its last channel are 0.

    Parameters
    ----------
    config : Config
    view : array of shape (items, height, width, channels)
        `int8` or `uint8` (`array.data_width` 8), `int16` or `uint16` (16), 32-bit integers with
        `raw`.
    box : Box
        Within the view.
    raw : bool
        Elements are results of rounding mode RAW, 32 bits wide.

    Raises
    ------
    RowforgeError
        For another element type or a box beyond the view.
    """
    kind = element_type(config, view.dtype, raw=raw)
    part = view[_index(box, view.shape)]
    items, rows, columns, channels = part.shape
    lanes = channels_per_word(config, raw=raw)
    blocks = -(-channels // lanes)
    padded = np.zeros((items, rows, columns, blocks * lanes), dtype=kind)
    padded[..., :channels] = part
    split = padded.reshape(items, rows, columns, blocks, lanes)
    return to_link_words(split.transpose(0, 3, 1, 2, 4))


def pack_load(config: Config, view: NDArray[Any], box: Box, *, raw: bool = False) -> Words:
    """LOAD's payload for a box of a tensor, with the parameters of `pack_box`.

    It is what `pack_box` gives but for a box of few channels (`spread_channels`), whose elements
    follow one another without gaps: item, row, column, channel.
    """
    if not spread_channels(config, box, raw=raw):
        return pack_box(config, view, box, raw=raw)
    kind = element_type(config, view.dtype)
    return to_link_words(view[_index(box, view.shape)].astype(kind))


def unpack_box(
    config: Config, words: Words, box: Box, dtype: DTypeLike, *, raw: bool = False
) -> NDArray[Any]:
    """The elements of a box, shape `box_shape(box)`, from its link words: inverse of `pack_box`.

    Raises `RowforgeError` for a wrong number of words or element type.
    """
    kind = element_type(config, dtype, raw=raw)
    items, rows, columns, channels = box_shape(box)
    lanes = channels_per_word(config, raw=raw)
    blocks = -(-channels // lanes)
    image = from_link_words(words, box_words(config, box, raw=raw) * config.buffer.width // 8)
    split = np.frombuffer(image, dtype=kind).reshape(items, blocks, rows, columns, lanes)
    joined = split.transpose(0, 2, 3, 1, 4).reshape(items, rows, columns, blocks * lanes)
    return joined[..., :channels].astype(np.dtype(dtype))


def store_box(
    config: Config, view: NDArray[Any], words: Words, box: Box, *, raw: bool = False
) -> None:
    """Write the elements that a STORE answered with into their place in `view`."""
    view[_index(box, view.shape)] = unpack_box(config, words, box, view.dtype, raw=raw)


def _index(box: Box, shape: tuple[int, ...]) -> tuple[slice, ...]:
    ranges = (box.items, box.rows, box.columns, box.channels)
    if len(shape) != len(ranges):
        raise RowforgeError(
            f"a tensor must be viewed as items, rows, columns, channels, not {shape}"
        )
    for (start, stop), size, name in zip(
        ranges, shape, ("items", "rows", "columns", "channels"), strict=True
    ):
        if not 0 <= start < stop <= size:
            raise RowforgeError(
                f"{name} of a box must be within 0 to {size}, not {start} to {stop}"
            )
    return tuple(slice(start, stop) for start, stop in ranges)


# ---- partial sums -----------------------------------------------------------------------------


def psum_slot_bits(config: Config) -> int:
    """Bits of the slot that holds a psum in a bank word; the psum is in its low bits."""
    return config.buffer.width // config.psums_per_word


def psum_beats(config: Config, psums: int) -> int:
    """Beats that hold so many psums."""
    return -(-psums // config.psum_beat)


def psum_capacity(config: Config) -> int:
    """Psum beats that the buffer can hold: their addresses are 0 up to this."""
    return config.psum_groups * 2 * config.buffer.depth


def psum_place(config: Config, beat: ArrayLike) -> tuple[Ints, Ints]:
    """Banks and row of psum beats.

    Parameters
    ----------
    config : Config
    beat : integers of any shape
        Beat addresses, 0 to `psum_capacity` - 1 (not checked).

    Returns
    -------
    banks : array of shape (..., banks_per_beat)
        Bank i of a beat holds its psums i * psums_per_word and on.
    rows : array of the shape of `beat`
    """
    address = np.asarray(beat, dtype=np.int64)
    k = config.banks_per_beat
    group, row = np.divmod(address // 2, config.buffer.depth)
    lowest = config.buffer.banks - 2 * k * (group + 1) + k * (address % 2)
    return lowest[..., None] + np.arange(k), row


def psum_words(config: Config, beat: ArrayLike) -> Ints:
    """Linear buffer addresses of psum beats, shape (..., banks_per_beat); see `psum_place`."""
    banks, rows = psum_place(config, beat)
    return banks * config.buffer.depth + rows[..., None]


def psum_floor(config: Config, beats: int) -> int:
    """The lowest buffer word in a bank that psum beats 0 to `beats` - 1 use."""
    groups = -(-beats // (2 * config.buffer.depth))
    return (config.buffer.banks - 2 * config.banks_per_beat * groups) * config.buffer.depth


# ---- filters, parameters and other records ----------------------------------------------------


def cell_filters(config: Config) -> int:
    """Filters of a cell: as many as a buffer word holds weights of."""
    return config.buffer.width // config.array.data_width


def filter_words(config: Config, beats: int) -> int:
    """64-bit words that carry the filter beats of a pass."""
    return -(-beats * config.noc.filter * config.array.data_width // WORD_BITS)


def pack_filters(config: Config, weights: NDArray[Any]) -> Words:
    """Link words of the filters of one pass.

    `weights` are stored weights in the order in which they are sent, whole beats: any shape, size a
    multiple of `noc.filter`, integers of `array.data_width` bits (signed or not).
    """
    kind = element_type(config, weights.dtype)
    if weights.size % config.noc.filter:
        raise RowforgeError(
            f"the filters of a pass must be whole beats of {config.noc.filter} words, "
            f"not {weights.size} words"
        )
    return to_link_words(weights.astype(kind))


def unpack_filters(config: Config, words: Words, beats: int, *, signed: bool = True) -> Ints:
    """Stored weights of one pass, shape (beats, noc.filter): the inverse of `pack_filters`."""
    kind = np.dtype(f"<{'i' if signed else 'u'}{config.array.data_width // 8}")
    image = from_link_words(words, beats * config.noc.filter * kind.itemsize)
    return np.frombuffer(image, dtype=kind).reshape(beats, config.noc.filter).astype(np.int64)


def pack_records(struct: Struct, values: Mapping[str, ArrayLike]) -> Words:
    """Words of many records at once, `struct.words` each; `values` are arrays of equal length.

    Same result as `struct.pack` on every record. Raises `RowforgeError` as that does.
    """
    unknown = set(values) - set(struct.offsets)
    if unknown:
        raise RowforgeError(f"{struct.name} has no field {sorted(unknown)[0]!r}")
    count = max((np.size(value) for value in values.values()), default=0)
    result = np.zeros((count, struct.words), dtype=np.uint64)
    for field in struct.fields:
        if field.name not in values:
            continue
        column = np.atleast_1d(np.asarray(values[field.name]))
        low, high = int(column.min(initial=0)), int(column.max(initial=0))
        if low < field.low or high > field.high:
            value = low if low < field.low else high
            raise RowforgeError(
                f"{struct.name}.{field.name} must be {field.low} to {field.high}, not {value}"
            )
        word, offset = divmod(struct.offsets[field.name], WORD_BITS)
        mask = np.uint64((1 << field.width) - 1)
        result[:, word] |= (column.astype(np.uint64) & mask) << np.uint64(offset)
    return result.reshape(-1)


def unpack_records(struct: Struct, words: Words) -> dict[str, Ints]:
    """Every field of consecutive records as an array (the inverse of `pack_records`).

    A field of 64 bits comes as the signed number of the same bits.
    """
    table = np.asarray(words, dtype=np.uint64).reshape(-1, struct.words)
    result: dict[str, Ints] = {}
    for field in struct.fields:
        word, offset = divmod(struct.offsets[field.name], WORD_BITS)
        left = np.uint64(WORD_BITS - field.width - offset)
        right = WORD_BITS - field.width
        shifted = np.ascontiguousarray(table[:, word] << left)
        if field.signed:
            result[field.name] = shifted.view(np.int64) >> np.int64(right)
        else:
            result[field.name] = (shifted >> np.uint64(right)).view(np.int64)
    return result


def short_params(words: Words) -> Words | None:
    """The payload of SHORT_PARAMS for a payload of PARAMS; None if an entry has an addend."""
    values = unpack_records(PARAM, words)
    if values.pop("addend").any():
        return None
    shift = values.pop("shift")
    group = len(SHIFTS.fields)
    shifts = np.pad(shift, (0, -len(shift) % group)).reshape(-1, group).T
    columns = dict(zip(SHIFTS.offsets, shifts, strict=True))
    parts = np.zeros((shifts.shape[1], 1 + group), dtype=np.uint64)
    parts[:, 0] = pack_records(SHIFTS, columns)
    entries = pack_records(SHORT_PARAM, values)
    parts[:, 1:] = np.pad(entries, (0, -len(entries) % group)).reshape(-1, group)
    return parts.reshape(-1)[: short_params_words(len(entries))]


def unpack_short_params(words: Words, count: int) -> dict[str, Ints]:
    """The fields of `PARAM` of so many entries, from the payload of SHORT_PARAMS."""
    group = len(SHIFTS.fields)
    parts = np.pad(words, (0, -len(words) % (1 + group))).reshape(-1, 1 + group)
    shifts = np.stack(list(unpack_records(SHIFTS, parts[:, 0]).values()), axis=1)
    values = unpack_records(SHORT_PARAM, parts[:, 1:].reshape(-1)[:count])
    # A shift comes in a whole byte, and the hardware keeps the bits that `PARAM` has.
    shift = (shifts.reshape(-1)[:count] + 64) % 128 - 64
    return {**values, "addend": np.zeros_like(shift), "shift": shift}


def pack_params(
    bias: ArrayLike, multiplier: ArrayLike, shift: ArrayLike, addend: ArrayLike = 0
) -> Words:
    """Payload of PARAMS: one `PARAM` entry a channel.

    `multiplier` is an integer, or for rounding mode ORT the bits of a float32 scale; `addend` is of
    use in rounding mode AFFINE alone.
    """
    addends = np.broadcast_to(addend, np.shape(bias))
    columns = {"bias": bias, "multiplier": multiplier, "addend": addends, "shift": shift}
    return pack_records(PARAM, columns)
