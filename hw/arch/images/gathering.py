"""How the box of a LOAD is gathered from data blocks that STOREs left in the memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.arch.commands import HEADER, REGION, Opcode, command
from hw.arch.config import Config
from hw.arch.fields import WORD_BITS
from hw.arch.images.records import PITCH_BITS, ROWS_BITS, RUN_BITS
from hw.arch.program import Box, Load, Words
from hw.arch.program.layout import box_shape, box_words, channels_per_word, link_words


@dataclass(frozen=True)
class StoredBlock:
    """A data block in the memory: the box that was stored, its first word, and `after`, the words
    that the memory has taken in this replay when it is there (0: it was there before)."""

    box: Box
    address: int
    after: int


@dataclass(frozen=True)
class GatheredRows:
    """A GATHER record's fields: `place` is the number of the first unit."""

    place: int
    run: int
    rows: int
    pitch: int


def unit_bits(config: Config) -> int:
    """Bits of what GATHER counts in."""
    return min(WORD_BITS, config.buffer.width)


def first_unit(config: Config, address: int) -> int:
    """The number of the first unit of a memory word."""
    return address * (WORD_BITS // unit_bits(config))


def gathered(
    config: Config, blocks: Sequence[StoredBlock], box: Box, *, raw: bool
) -> tuple[list[GatheredRows], int] | None:
    """GatheredRows of units that make up the box as STORE would send it, and the words to wait for.

    None if a word of the box is in no block, or has its channels at other lanes there. Of two
    blocks with the same word the later one counts.
    """
    places, newest = _places(config, blocks, box, raw=raw)
    if (places < 0).any():
        return None
    runs = list(_runs(places.reshape(-1), config.buffer.width // unit_bits(config)))
    return list(_rows(runs)), newest


def whole_words(config: Config, step: Load, *, raw: bool) -> Words:
    """Header and descriptor of a LOAD that takes whole buffer words, whatever `step` takes."""
    header = HEADER.unpack(step.words[: HEADER.words].tolist())
    region = REGION.unpack(step.words[HEADER.words :].tolist())
    length = link_words(config, box_words(config, step.box, raw=raw))
    if region["words"] == length and not region["channels"]:
        return step.words
    flags = {name: header[name] for name in ("fence", "older", "stored", "tag")}
    descriptor = REGION.pack(region | {"channels": 0, "words": length})
    return np.array(command(Opcode.LOAD, descriptor, length=length, **flags), dtype=np.uint64)


def _places(
    config: Config, blocks: Sequence[StoredBlock], box: Box, *, raw: bool
) -> tuple[NDArray[np.int64], int]:
    """Of each buffer word of a box the number of its first unit in the memory, -1: nowhere.

    Shape (items, channel blocks, rows, columns). Also the words to wait for.
    """
    per_word = channels_per_word(config, raw=raw)
    items, rows, columns, channels = box_shape(box)
    count = -(-channels // per_word)
    places = np.full((items, count, rows, columns), -1, dtype=np.int64)
    after = np.zeros_like(places)
    for block in blocks:
        stored = box_shape(block.box)
        stored_count = -(-stored[3] // per_word)
        shift = box.channels[0] - block.box.channels[0]
        spans = [
            _overlap(getattr(box, name), getattr(block.box, name))
            for name in ("items", "rows", "columns")
        ]
        if any(span is None for span in spans) or shift % per_word:
            continue
        own = [
            k
            for k in range(count)
            if 0 <= shift // per_word + k < stored_count
            and min(box.channels[0] + (k + 1) * per_word, box.channels[1]) <= block.box.channels[1]
        ]
        if not own:
            continue
        shape = stored[0], stored_count, stored[1], stored[2]
        there = first_unit(config, block.address) + np.arange(np.prod(shape)).reshape(shape) * (
            config.buffer.width // unit_bits(config)
        )
        to = [slice(a - getattr(box, n)[0], b - getattr(box, n)[0]) for n, (a, b) in _named(spans)]
        of = [
            slice(a - getattr(block.box, n)[0], b - getattr(block.box, n)[0])
            for n, (a, b) in _named(spans)
        ]
        from_first = shift // per_word + own[0]
        own_slice = slice(own[0], own[-1] + 1)
        places[to[0], own_slice, to[1], to[2]] = there[
            of[0], from_first : from_first + len(own), of[1], of[2]
        ]
        after[to[0], own_slice, to[1], to[2]] = block.after
    return places, int(after.max(initial=0))


def _named(
    spans: Sequence[tuple[int, int] | None],
) -> Iterable[tuple[str, tuple[int, int]]]:
    names = ("items", "rows", "columns")
    return [(name, span) for name, span in zip(names, spans, strict=True) if span is not None]


def _overlap(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int] | None:
    first, last = max(left[0], right[0]), min(left[1], right[1])
    return (first, last) if first < last else None


def _runs(places: NDArray[np.int64], units: int) -> Iterable[tuple[int, int]]:
    """(first unit, units) of consecutive places."""
    breaks = np.flatnonzero(np.diff(places) != units) + 1
    most = (1 << RUN_BITS) - 1
    for part in np.split(places, breaks):
        first, length = int(part[0]), len(part) * units
        while length:
            run = min(length, most)
            yield first, run
            first, length = first + run, length - run


def _rows(runs: Sequence[tuple[int, int]]) -> Iterable[GatheredRows]:
    """Runs of one length at one distance are rows of a record."""
    at = 0
    while at < len(runs):
        first, run = runs[at]
        count, pitch = 1, 0
        if at + 1 < len(runs) and runs[at + 1][1] == run:
            pitch = runs[at + 1][0] - first
        if 0 < pitch < 1 << PITCH_BITS:
            while (
                at + count < len(runs)
                and count < (1 << ROWS_BITS) - 1
                and runs[at + count] == (first + count * pitch, run)
            ):
                count += 1
        yield GatheredRows(first, run, count, pitch if count > 1 else 0)
        at += count
