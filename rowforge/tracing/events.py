"""A trace as Chrome trace events: `trace_events`.

Viewers show a slice (`X`) on a named track, a counter (`C`) as a staircase. They take `ts` and
`dur` as microseconds: here they are cycles.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from hw.arch.commands import Opcode
from sim.cycles.machine import Numbers
from sim.cycles.trace import LEVELS, SLICE, Trace, Track

Event: TypeAlias = dict[str, Any]

LAYERS = "layers"
"""The track on top: which layer the passes or the vector engine are in."""

UNITS: Mapping[Track, tuple[str, str]] = {
    Track.LINK_IN: ("link in", "words"),
    Track.DECODER: ("decoder", "cycles"),
    Track.LOAD: ("LOAD", "buffer_words"),
    Track.PASSES: ("sequencer passes", "passes"),
    Track.FILTERS: ("filters", "words"),
    Track.IFMAPS: ("ifmaps", "operands"),
    Track.PSUMS_IN: ("psums in", "beats"),
    Track.PES: ("PEs", "macs"),
    Track.PSUMS_OUT: ("psums out", "beats"),
    Track.POST: ("post-processing", "buffer_words"),
    Track.VECTOR: ("vector engine", "buffer_words"),
    Track.STORE: ("STORE", "buffer_words"),
    Track.LINK_OUT: ("link out", "words"),
    Track.ACTIVE_PES: ("PEs in a pass", "PEs"),
    Track.PREFETCH: ("filter prefetch queue", "words"),
    Track.COLUMN_FIFOS: ("psum FIFOs of all columns", "beats"),
}
"""The name of each track, and of what its slices count."""

_BY_PASS = (
    *(Track.PASSES, Track.FILTERS, Track.IFMAPS, Track.PSUMS_IN, Track.PES, Track.PSUMS_OUT),
)
_PROCESS = 1


def trace_events(trace: Trace, layers: Sequence[str], title: str) -> Iterator[Event]:
    """The events of a trace: names of tracks, then track by track in the order of time.

    Parameters
    ----------
    trace : Trace
    layers : names of the program's layers
    title : of the whole
    """
    yield _named("process_name", 0, title)
    numbers = {name: place for place, name in enumerate(_tracks())}
    for name, place in numbers.items():
        yield _named("thread_name", place, name)
        yield {**_named("thread_sort_index", place, ""), "args": {"sort_index": place}}
    for layer, begin, end in layer_times(trace):
        yield _slice(0, layers[layer], begin, end, {"layer": layer})
    for track, (name, counted) in UNITS.items():
        rows = trace.of(track).tolist()
        if track in LEVELS:
            yield from _levels(name, counted, rows)
        else:
            yield from _slices(track, numbers[name], counted, rows, layers)


def _tracks() -> list[str]:
    return [LAYERS, *(name for track, (name, _) in UNITS.items() if track not in LEVELS)]


def layer_times(trace: Trace) -> list[tuple[int, int, int]]:
    """(layer, first cycle, cycle after the last): when passes or the vector engine are in a layer.

    A layer may come several times, in tiles; times are disjoint and in order.
    """
    rows = np.concatenate([trace.of(Track.PASSES), trace.of(Track.VECTOR)])
    begin, end, layer = (SLICE.index(name) for name in ("begin", "end", "layer"))
    times: list[tuple[int, int, int]] = []
    for row in rows[np.argsort(rows[:, begin], kind="stable")].tolist():
        if times and times[-1][0] == row[layer]:
            times[-1] = (row[layer], times[-1][1], max(row[end], times[-1][2]))
            continue
        if times:
            times[-1] = (*times[-1][:2], min(times[-1][2], row[begin]))
        times.append((row[layer], row[begin], row[end]))
    return times


def _slices(
    track: Track, place: int, counted: str, rows: list[list[int]], layers: Sequence[str]
) -> Iterator[Event]:
    for _, begin, end, amount, kind, layer, command, number, merged in rows:
        told: dict[str, Any] = {counted: amount, "command": command}
        if layer < len(layers) and layer >= 0:
            told["layer"] = layers[layer]
        if merged > 1:
            told["slices"] = merged
        if track in _BY_PASS:
            told["pass"] = number
            name = f"pass {number}"
        else:
            name = _command(kind)
        yield _slice(place, name, begin, end, told)


def _command(kind: int) -> str:
    """A command's name, with "waits" while it does; "post" of results that have none."""
    if not kind:
        return "results"
    name = Opcode(abs(kind)).name
    return f"{name} waits" if kind < 0 else name


def _levels(name: str, counted: str, rows: list[list[int]]) -> Iterator[Event]:
    """Levels where they change; where slices are merged, their mean."""
    before = None
    for _, begin, end, amount, *_ in rows:
        level = amount / (end - begin)
        value: float = int(level) if level.is_integer() else round(level, 3)
        if value != before:
            place = {"ph": "C", "pid": _PROCESS, "tid": 0, "ts": begin}
            yield {**place, "name": name, "args": {counted: value}}
        before = value


def _named(what: str, place: int, name: str) -> Event:
    return {"ph": "M", "pid": _PROCESS, "tid": place, "ts": 0, "name": what, "args": {"name": name}}


def _slice(place: int, name: str, begin: int, end: int, told: dict[str, Any]) -> Event:
    return {
        "ph": "X",
        "pid": _PROCESS,
        "tid": place,
        "ts": begin,
        "dur": end - begin,
        "name": name,
        "args": told,
    }


def totals(trace: Trace) -> dict[str, int]:
    """What each unit moved or computed in the whole program, by the name of its track."""
    return {
        name: int(trace.of(track)[:, SLICE.index("amount")].sum())
        for track, (name, _) in UNITS.items()
        if track not in LEVELS
    }


def by_layer(trace: Trace, track: Track) -> dict[int, int]:
    """What the unit of a track moved or computed, by layer."""
    rows: Numbers = trace.of(track)
    layers, amounts = (rows[:, SLICE.index(name)] for name in ("layer", "amount"))
    return {int(layer): int(amounts[layers == layer].sum()) for layer in np.unique(layers)}
