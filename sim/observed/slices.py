"""Values of signals, cycle by cycle, as a trace: `observed_trace`.

The rules are those by which the exact model tells its own trace (`sim/cycles/model/trace.h`): what
a unit is at is read from the registers after a cycle, and what it moved from what happened in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.arch.commands import HEADER, Opcode
from hw.arch.config import Config
from sim.cycles.trace import LEVELS, MOST_SLICES, SLICE, TOUCH, Trace, Track
from sim.observed.engine import Samples

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_HUNT = 0  # the decoder's state before a program
_MODULO = 3  # passes are numbered modulo 4
_LATE = 3  # cycles after which what PEs do reaches the counters (`hw.array.array`)
_BY_PASS = ("layer", "command", "pass")
_COARSER = (_BY_PASS, _BY_PASS[:2], _BY_PASS[:1])


@dataclass(frozen=True)
class _Owner:
    """Whose work something is, in every cycle: arrays as `SLICE` names them."""

    layer: Numbers
    command: Numbers
    number: Numbers | int = 0  # of the pass
    kind: Numbers | int = 0

    def columns(self, at: Numbers | slice) -> list[Numbers]:
        """kind, layer, command and pass at these cycles."""
        every = (self.kind, self.layer, self.command, self.number)
        return [np.broadcast_to(column, self.layer.shape)[at] for column in every]


def observed_trace(config: Config, samples: Samples, cycles: int, most: int = MOST_SLICES) -> Trace:
    """The trace of a program from what was noted of its cycles.

    Without the levels of the queues at the columns, the touches of the buffer and the map of PEs,
    which the exact model knows.

    Parameters
    ----------
    config : Config
    samples : of `ObservedEngine`, from the first cycle of the program on
    cycles : of the program
    most : slices, as for `sim.cycles.trace.trace`
    """
    seen = _Seen(config, {name: values[:cycles] for name, values in samples.items()})
    slices = np.concatenate([*seen.commands(), *seen.passes(), *seen.units(), *seen.levels()])
    order = np.lexsort((slices[:, SLICE.index("begin")], slices[:, 0]))
    return Trace(
        slices=coarser(slices[order], most),
        touches=np.zeros((0, len(TOUCH)), np.int64),
        running={},
        cycles=cycles,
    )


def _after(values: NDArray[Any]) -> NDArray[Any]:
    """What registers hold after each cycle."""
    return np.concatenate([values[1:], values[-1:]])


def _field(words: Numbers, name: str) -> Numbers:
    """A field of the headers of commands."""
    width = next(field.width for field in HEADER.fields if field.name == name)
    return np.asarray((words >> HEADER.offsets[name]) & ((1 << width) - 1), np.int64)


class _Seen:
    """A program's cycles."""

    def __init__(self, config: Config, samples: Samples) -> None:
        self._config, self._samples = config, samples
        self._counts = (samples["hold"] | samples["clear"]) == 0
        self._state = samples["state"]
        header = _after(samples["header"])
        opcode = _field(header, "opcode")
        # A header is taken where the register changes to one; before, a program sets it to zero.
        changes = np.flatnonzero((header != samples["header"]) & (header != 0))
        self._heading = int(self._state[changes[0]]) if len(changes) else _HUNT
        self._taken = (self._state == self._heading) & (_after(self._state) != self._heading)
        number = np.cumsum(self._taken)
        layer = np.where(number > 0, _field(header, "tag"), -1)
        self._command = _Owner(layer, number, kind=opcode)
        self._issued = np.cumsum(_steps(samples["issued"]))
        self._owners = self._owners_of_passes()

    def _happens(self, name: str) -> Numbers:
        """What a counter gains, or whether a word passes on a stream, where counters count."""
        if name in self._samples:
            gained = self._samples[name]
        else:
            gained = self._samples[f"{name}_valid"] & self._samples[f"{name}_ready"]
        return np.where(self._counts, gained, 0).astype(np.int64)

    def _owners_of_passes(self) -> tuple[Numbers, Numbers]:
        """Layer and command of every pass by its number; of none before the first."""
        begun = np.flatnonzero(self._samples["conv"])
        walks = np.cumsum(self._samples["walk"], dtype=np.int64)
        issues = np.flatnonzero(np.diff(self._issued, prepend=0))
        convs = begun[walks[issues] - 1]
        none = np.array([-1]), np.array([0])
        return (
            np.append(none[0], self._command.layer[convs]),
            np.append(none[1], self._command.command[convs]),
        )

    def _of_pass(self, number: Numbers) -> _Owner:
        layers, commands = self._owners
        return _Owner(layers[number], commands[number], number)

    def commands(self) -> list[Numbers]:
        """Decoder and link."""
        owner, state = self._command, self._state
        before = owner.command - self._taken
        busy = (before > 0) & (state != self._heading) & (state != _HUNT)
        starts = [self._samples[name] for name in ("conv", "load", "store", "vector")]
        begun = np.flatnonzero(np.logical_or.reduce(starts))
        waits = np.zeros(len(state), bool)
        if len(begun):
            dispatch = state[begun[0]]
            waits = (state == dispatch) & (_after(state) == dispatch)
        kind = np.where(waits, -owner.kind, owner.kind)
        decoder = _Owner(owner.layer, owner.command, kind=kind)
        # The counters are cleared with the last word, which they do not count.
        taken, given = (
            self._samples[f"link_{way}_words"].astype(np.int64) * (self._samples["hold"] == 0)
            for way in ("in", "out")
        )
        return [
            _runs(Track.DECODER, busy, np.ones(len(busy), np.int64), decoder),
            _runs(Track.LINK_IN, taken > 0, taken, owner),
            _runs(Track.LINK_OUT, given > 0, given, self._stores()),
        ]

    def _stores(self) -> _Owner:
        """The STORE under way; where there is none, the command that the decoder has."""
        owner, busy = self._command, self._samples["storer_busy"]
        newest = np.maximum.accumulate(
            np.where(self._samples["store"] > 0, np.arange(len(busy)), 0)
        )
        stores = (busy | _after(busy)) > 0
        return _Owner(
            np.where(stores, owner.layer[newest], owner.layer),
            np.where(stores, owner.command[newest], owner.command),
            kind=np.where(stores, int(Opcode.STORE), owner.kind),
        )

    def passes(self) -> list[Numbers]:
        """The sequencer's passes and the engines."""
        newest = self._of_pass(self._issued)
        writer = np.cumsum(_steps(self._samples["writer_done"]))
        begins = np.diff(self._issued, prepend=0)
        return [
            _runs(Track.PASSES, writer != self._issued, begins, newest),
            self._engine(Track.FILTERS, "filters_done", self._happens("filter_words")),
            self._engine(Track.IFMAPS, "ifmaps_done", self._operands()),
            self._engine(Track.PSUMS_IN, "reader_done", self._happens("glb_psum_read_beats")),
            self._engine(Track.PSUMS_OUT, "writer_done", self._happens("glb_psum_write_beats")),
        ]

    def _operands(self) -> Numbers:
        beats = self._happens("ifmap_beats")
        more = self._samples.get("more")
        return beats if more is None else beats * (1 + more.astype(np.int64))

    def _engine(self, track: Track, name: str, amount: Numbers) -> Numbers:
        """An engine is done with a pass when it has asked for the last word of it, which comes
        later, and then still belongs to that pass."""
        done = np.cumsum(_steps(self._samples[name]))
        busy = self._issued != done
        number = np.where(busy, done + 1, self._issued)
        active = busy | (amount > 0)
        moved = np.flatnonzero((np.diff(number) != 0) & active[:-1] & (amount[1:] > 0)) + 1
        late: Numbers = number.copy()
        for at in moved.tolist():
            if late[at - 1] == number[at - 1]:
                late[at] = number[at - 1]
        return _runs(track, active, amount, self._of_pass(late))

    def units(self) -> list[Numbers]:
        """Units that stay with what they have begun, and the PEs."""
        samples, command = self._samples, self._command
        codes = (samples["payloads_busy"] > 0) & (command.kind == Opcode.LOAD)
        busy = {
            Track.LOAD: (_after(samples["loader_busy"]) > 0) | codes,
            Track.STORE: _after(samples["storer_busy"]) > 0,
            Track.VECTOR: _after(samples["vector_busy"]) > 0,
            Track.POST: _after(samples["post_busy"]) > 0,
        }
        amounts = {
            Track.LOAD: self._happens("load_writes"),
            Track.STORE: self._happens("store_reads"),
            Track.VECTOR: self._happens("vector_reads"),
            Track.POST: self._happens("glb_act_write_words"),
        }
        newest = self._of_pass(self._issued)
        vector = busy[Track.VECTOR]
        results = _Owner(
            np.where(vector, command.layer, newest.layer),
            np.where(vector, command.command, newest.command),
        )
        found = [
            _runs(
                track,
                busy[track] | (amounts[track] > 0),
                amounts[track],
                results if track == Track.POST else command,
                stays=True,
            )
            for track in busy
        ]
        macs, running = self._of_pes("macs"), self._of_pes("pe_active_cycles")
        return [*found, _runs(Track.PES, (running > 0) | (macs > 0), macs, newest)]

    def _of_pes(self, name: str) -> Numbers:
        """What the PEs do in each cycle, which is counted later."""
        counted = self._samples[name].astype(np.int64)
        return np.append(counted[_LATE:], np.zeros(_LATE, np.int64))

    def levels(self) -> list[Numbers]:
        """PEs in a pass, and words in the filter prefetch queue."""
        samples = self._samples
        words = [(samples[f"{n}_valid"] & samples[f"{n}_ready"]) for n in ("queued", "unqueued")]
        waiting = np.cumsum(words[0], dtype=np.int64) - np.cumsum(words[1], dtype=np.int64)
        always = np.ones(len(waiting), bool)
        found = []
        for track, level in (
            (Track.ACTIVE_PES, self._of_pes("pe_active_cycles")),
            (Track.PREFETCH, waiting),
        ):
            owner = self._of_pass(self._issued)
            owner = _Owner(owner.layer, owner.command, owner.number, kind=level)
            found.append(_runs(track, always, level, owner))
        return found


def _steps(numbers: NDArray[np.uint8]) -> Numbers:
    """By how much a number modulo 4 grows in each cycle."""
    return ((_after(numbers) - numbers) & _MODULO).astype(np.int64)


def _runs(
    track: Track, active: Flags, amount: Numbers, owner: _Owner, *, stays: bool = False
) -> Numbers:
    """Slices of the cycles in which a unit is active, one for each owner in turn.

    stays : a unit works for whom it has begun, until it is idle
    """
    new = active.copy()
    new[1:] &= ~active[:-1]
    if not stays:
        columns = owner.columns(slice(None))
        for column in columns:
            new[1:] |= active[1:] & (column[1:] != column[:-1])
    begins = np.flatnonzero(new)
    places = (np.cumsum(new) - 1)[active]
    lengths = np.bincount(places, minlength=len(begins))
    sums = np.bincount(places, weights=amount[active], minlength=len(begins))
    found = np.zeros((len(begins), len(SLICE)), np.int64)
    whose = np.stack(owner.columns(begins), axis=1) if len(begins) else found[:, :4]
    found[:, 0], found[:, 1], found[:, 2] = track, begins, begins + lengths
    found[:, 3], found[:, 4:8], found[:, 8] = sums, whose, 1
    return found


def coarser(slices: Numbers, most: int) -> Numbers:
    """So many slices or fewer: first the levels of a pass become one, then other slices of a pass,
    then both of a command, then of a layer; amounts are added up."""
    levels = np.isin(slices[:, 0], LEVELS)
    for names in _COARSER:
        for chosen in (True, False):
            if len(slices) <= most:
                return slices
            slices = _merged(slices, levels == chosen, names)
            levels = np.isin(slices[:, 0], LEVELS)
    return slices


def _merged(slices: Numbers, some: Flags, names: Sequence[str]) -> Numbers:
    """One slice for those in a row of a track that agree in these columns."""
    keys = slices[:, [0, *(SLICE.index(name) for name in names)]]
    new = np.ones(len(slices), bool)
    new[1:] = ~some[1:] | (keys[1:] != keys[:-1]).any(axis=1)
    begins = np.flatnonzero(new)
    found: Numbers = slices[begins].copy()
    for name in ("amount", "merged"):
        place = SLICE.index(name)
        found[:, place] = np.add.reduceat(slices[:, place], begins)
    last = np.append(begins[1:], len(slices)) - 1
    found[:, SLICE.index("end")] = slices[last, SLICE.index("end")]
    return found
