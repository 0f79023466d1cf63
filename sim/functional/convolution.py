"""CONV: pass after pass through filters, ifmaps, PEs, psums and results."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hw.arch.commands import CHANNEL, Opcode
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.program import Words
from hw.arch.program.layout import Ints, cell_filters, filter_words, psum_words, to_link_words
from numerics.gemmlowp import wrap
from sim.functional.array import array_accesses, check_constants, compute, multiply_steps
from sim.functional.errors import place, require
from sim.functional.filters import (
    PassFilters,
    multiplier_results,
    unit_offsets,
    unit_places,
    unit_words,
)
from sim.functional.ifmaps import Windows, pass_windows
from sim.functional.memory import decoded_payload
from sim.functional.nest import ConvDescriptor, Pass, walk
from sim.functional.patterns import Columns, Rows
from sim.functional.results import channel_rows, check_output, finish
from sim.functional.state import State, TraceRecord


@dataclass(frozen=True)
class _Sums:
    """Sums of a pass, shape (F, segments, columns, psums), and the patterns they were made with."""

    constants: Mapping[str, int]
    bases: Mapping[str, int]
    rows: Rows
    columns: Columns
    values: Ints

    def address(self, name: str, step: str) -> Ints:
        """Base + segment + column + f · step, shape (F, segments, columns)."""
        window = np.arange(len(self.values))[:, None, None] * self.constants[step]
        segment = self.rows.segments[name][:, None]
        total: Ints = self.bases[name] + segment + self.columns.columns[name] + window
        return total


def run_convolution(state: State, convolution: ConvDescriptor, payload: Words, tag: int) -> None:
    """Execute a CONV command whose filters are `payload`, or its code, or in a memory.

    Raises `CommandError` for a damaged code.
    """
    constants = convolution.constants
    payload = decoded_payload(state.config, Opcode.CONV, payload, convolution.decoded)
    check_constants(state.config, constants)
    check_output(state, constants)
    _check_source(state, constants)
    if constants["sync"] and constants["buffered"]:
        # Filters do not wait for what `sync` waits for.
        for each in walk(convolution):
            if each.fresh:
                state.hazards.check_read(_buffer_words(state, constants, each))
    if constants["sync"]:
        state.hazards.computed()
    state.hazards.next_command()
    stream = _FilterStream(state, convolution, payload)
    for each in walk(convolution):
        with place(f"pass {each.number}"):
            state.hazards.next_pass()
            rows, columns = _patterns(state, each.bases)
            filters = stream.filters(each, rows, columns)
            state.count(passes=1)
            _run_pass(state, constants, each, rows, columns, filters, tag)
            if each.release:
                state.held = None
    stream.check_end()


class _FilterStream:
    """The filters of a CONV command, pass by pass."""

    def __init__(self, state: State, convolution: ConvDescriptor, payload: Words) -> None:
        self._state, self._constants, self._payload = state, convolution.constants, payload
        self._position = 0

    def filters(self, each: Pass, rows: Rows, columns: Columns) -> PassFilters:
        """What the PEs hold in a pass: sent with it, or left there by the pass before."""
        state, constants = self._state, self._constants
        if each.fresh:
            require(state.held is None, "the filters of the pass before are still in the PEs")
            words, taken = self._words(each)
            state.count(
                filter_words=taken,
                filter_words_resident=taken if constants["resident"] else 0,
                filter_spad_writes=rows.active.size * columns.count * constants["filter_beats"],
            )
            state.held = PassFilters.sent(state.config, constants, rows, columns, words)
        held = state.held
        require(held is not None, "the pass reuses filters, and the PEs hold none")
        assert held is not None
        held.check(constants, rows, columns)
        return held

    def _words(self, each: Pass) -> tuple[Words, int]:
        """The filters of a pass, and how many words of the link they were taken from."""
        length = _filter_words(self._state, self._constants, each)
        if self._constants["resident"]:
            return _resident(self._state, each.bases["weights"], length), length
        if self._constants["buffered"]:
            return _buffered(self._state, self._constants, each)
        begin, self._position = self._position, self._position + length
        require(self._position <= len(self._payload), "the command carries too few filters")
        return self._payload[begin : self._position], length

    def check_end(self) -> None:
        """Every word was for some pass."""
        require(
            self._position == len(self._payload),
            f"the command carries {len(self._payload)} words of filters, "
            f"its passes use {self._position}",
        )


def _patterns(state: State, bases: Mapping[str, int]) -> tuple[Rows, Columns]:
    rows, columns = state.rows.get(bases["rows"]), state.columns.get(bases["columns"])
    if rows is None or columns is None:
        kind = "rows" if rows is None else "columns"
        require(False, f"pattern {bases[kind]} of {kind} was never filled")
    assert rows is not None and columns is not None
    return rows, columns


def _resident(state: State, first: int, length: int) -> Words:
    require(
        first + length <= len(state.filters),
        f"words {first} to {first + length - 1} of the weight memory do not exist",
    )
    state.hazards.use("weight memory", first, length)
    return state.filters[first : first + length]


def _filter_words(state: State, constants: Mapping[str, int], each: Pass) -> int:
    """Link words that the filters of a pass are."""
    rows, columns = _patterns(state, each.bases)
    return filter_words(state.config, rows.filters * columns.groups * constants["filter_beats"])


def _check_source(state: State, constants: Mapping[str, int]) -> None:
    require(
        state.config.buffer.filters or not constants["buffered"],
        "filters come from the global buffer, and buffer.filters is false",
    )
    require(
        not (constants["resident"] and constants["buffered"]),
        "filters come both from the weight memory and from the global buffer",
    )
    if constants["cells"]:
        _check_cells(state.config, constants)


def _check_cells(config: Config, constants: Mapping[str, int]) -> None:
    """Whole buffer words hold the weights of a channel and a tap."""
    require(
        constants["buffered"] and not constants["diagonal"],
        "cells are filters of a plain convolution in the global buffer",
    )
    each, psums = cell_filters(config), constants["psums"]
    require(
        config.buffer.width >= LINK_WORD_BITS and psums % each == 0,
        f"psums ({psums}) must be a multiple of a cell's filters ({each}), buffer.width "
        f"({config.buffer.width}) at least {LINK_WORD_BITS}",
    )
    require(
        psums == constants["steps"] * config.pe.macs,
        f"cells have no room for the padding of {psums} psums",
    )


def _buffer_words(state: State, constants: Mapping[str, int], each: Pass) -> Ints:
    """Addresses of the buffer words that hold the filters of a pass, one unit after another."""
    rows, columns = _patterns(state, each.bases)
    first = unit_places(state.config, constants, each.bases, rows, columns)
    words = first[..., None] + unit_offsets(state.config, constants)
    return state.memory.activation_address(words.reshape(-1))


def _buffered(state: State, constants: Mapping[str, int], each: Pass) -> tuple[Words, int]:
    words = _buffer_words(state, constants, each)
    state.count(glb_filter_reads=len(words))
    state.hazards.read(words)
    if state.contents is not None:
        state.contents.read("filters", words)
    # A unit begins with a new buffer word, and the next of the stream with a new beat.
    units = len(words) // unit_words(state.config, constants)
    bytes_ = np.frombuffer(state.memory.read_bytes(words), dtype=np.uint8).reshape(units, -1)
    beats = constants["filter_beats"]
    size = beats * state.config.noc.filter * state.config.array.data_width // 8
    stream = to_link_words(bytes_[:, :size])
    return stream, units * filter_words(state.config, beats)


def _run_pass(
    state: State,
    constants: Mapping[str, int],
    each: Pass,
    rows: Rows,
    columns: Columns,
    filters: PassFilters,
    tag: int,
) -> None:
    config = state.config
    windows = pass_windows(state, constants, each.bases, rows, columns)
    _count_products(state, constants, windows)
    values = compute(config, constants, rows, columns, filters.weights, windows)
    sums = _Sums(constants, each.bases, rows, columns, values)
    zero = (rows.segments["first"] != 0) & each.first
    if config.control.access_counters:
        state.count(**array_accesses(config, constants, rows, columns, windows, zero))
    done = (rows.segments["last"] != 0) & each.last
    _accumulate(state, sums, zero, done)
    if done.any():
        _finish(state, sums, done, each.number, tag)


def _count_products(state: State, constants: Mapping[str, int], windows: Windows) -> None:
    steps, zeros = multiply_steps(state.config, constants, windows)
    results = multiplier_results(state.config, constants)
    state.count(macs=steps * results, gated_macs=zeros * results)


def _accumulate(state: State, sums: _Sums, zero: Ints, done: Ints) -> None:
    """Add earlier sums to segments that do not start at 0; write back what is not done."""
    config, memory = state.config, state.memory
    beats = sums.constants["psum_beats"]
    address = sums.address("psum", "psum_beats")[..., None] + np.arange(beats)
    window = np.broadcast_to(np.arange(len(address))[:, None, None, None], address.shape)
    reads, writes = (memory.psum_address(address[:, mask]) for mask in (~zero, ~done))
    state.hazards.psums(
        reads.reshape(-1),
        window[:, ~zero].reshape(-1),
        writes.reshape(-1),
        window[:, ~done].reshape(-1),
    )
    psums, values = sums.constants["psums"], sums.values
    if reads.size:
        before = memory.read_psums(reads)
        values[:, ~zero] += before.reshape(*before.shape[:-2], -1)[..., :psums]
    values[:] = wrap(values, config.array.psum_width)
    if writes.size:
        padded = np.zeros((*writes.shape[:-1], beats * config.psum_beat), dtype=np.int64)
        padded[..., :psums] = values[:, ~done]
        memory.write_psums(writes, padded.reshape(*writes.shape, config.psum_beat))
        if state.contents is not None:
            state.contents.psum(psum_words(config, writes))
    state.count(glb_psum_read_beats=reads.size, glb_psum_write_beats=writes.size)


def _finish(state: State, sums: _Sums, done: Ints, number: int, tag: int) -> None:
    """Hand complete sums to the post-processor."""
    config, constants = state.config, sums.constants
    first = sums.bases["channel"] + sums.rows.segments["channel"][:, None]
    first = (first + sums.columns.columns["channel"])[done] % (1 << CHANNEL)
    wrong = first % config.post.units != 0
    if wrong.any():
        require(
            False,
            f"the first channel of a window must be a multiple of {config.post.units}, "
            f"not {int(first[wrong][0])}",
        )
    channel = first[..., None] + np.arange(constants["psums"])
    words, lanes = finish(
        state,
        constants,
        sums.values[:, done],
        address=sums.address("output", "pixel_words")[:, done][..., None],
        channel=channel,
        param_row=channel_rows(state, constants, channel),
    )
    state.hazards.write(words)
    if state.trace is not None:
        window, segment, column, _ = np.indices(words.shape)
        state.trace.append(
            TraceRecord(
                tag=tag,
                number=number,
                words=words.reshape(-1),
                lanes=lanes.reshape(-1),
                segments=np.flatnonzero(done)[segment.reshape(-1)],
                columns=column.reshape(-1),
                windows=window.reshape(-1),
            )
        )
