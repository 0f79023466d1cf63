"""When every unit works, cycle by cycle, by the exact model: `trace`."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from hw.arch.config import Config
from hw.arch.program import Program
from sim.cycles.library import model_library
from sim.cycles.machine import Machine, Numbers, machine
from sim.cycles.predict import NO_MASKS, Masks, check_modelled, check_single, check_skipping
from sim.cycles.stream import NO_VALUES, Values, command_stream

MOST_SLICES = 1_000_000
"""Slices beyond which those of a pass become one."""


class Track(IntEnum):
    """A unit whose work is traced, or a level, in the order of the C++ model's tracks."""

    LINK_IN = 0
    DECODER = 1
    LOAD = 2
    PASSES = 3
    FILTERS = 4
    IFMAPS = 5
    PSUMS_IN = 6
    PES = 7
    PSUMS_OUT = 8
    POST = 9
    VECTOR = 10
    STORE = 11
    LINK_OUT = 12
    ACTIVE_PES = 13
    PREFETCH = 14
    COLUMN_FIFOS = 15


LEVELS = (Track.ACTIVE_PES, Track.PREFETCH, Track.COLUMN_FIFOS)
"""Tracks whose slices are the times of one level: of PEs in a pass, of words or beats in queues."""

SLICE = ("track", "begin", "end", "amount", "kind", "layer", "command", "pass", "merged")
"""Columns of `Trace.slices`."""

TOUCH = ("layer", "kind", "bank", "begin", "end", "low", "high")
"""Columns of `Trace.touches`."""

NO_LAYER = 0xFFFF
"""The layer of commands that belong to none."""


class Touching(IntEnum):
    """What accesses words of the buffer."""

    LOADED = 0
    STORED = 1
    READ = 2
    WRITTEN = 3
    PSUMS = 4
    FILTERS = 5


@dataclass(frozen=True)
class Trace:
    """What happened when.

    Attributes
    ----------
    slices : int64, (slices, 9)
        Columns as in `SLICE`. A unit works from cycle `begin` to before `end`; slices of a track
        are disjoint and in order. `amount` is what the unit moved or computed: words of the link,
        of filters, of the buffer or ifmap words, psum beats, passes, MACs; of the decoder, cycles;
        of a level, its sum over the cycles. `kind` is the opcode of the decoder's command, negative
        while the command waits for earlier work. `command` counts commands from 1, `pass` passes.
        `merged` slices are told as one.
    touches : int64, (touches, 7)
        Columns as in `TOUCH`: for every layer and `Touching`, the buffer words from `low` to
        `high`, and the cycles of the first and after the last command or pass that names them.
        Psums have a row for each bank, other rows the bank -1.
    running : by layer, int64 (columns, rows)
        Cycles of each PE in a running pass.
    cycles : of the whole program
    """

    slices: Numbers
    touches: Numbers
    running: dict[int, Numbers]
    cycles: int

    def column(self, name: str) -> Numbers:
        """A column of `slices`, by its name in `SLICE`."""
        return self.slices[:, SLICE.index(name)]

    def of(self, track: Track) -> Numbers:
        """The slices of a track."""
        chosen: Numbers = self.slices[self.column("track") == track]
        return chosen


def trace(
    program: Program,
    *,
    dry: bool = False,
    rate: float = 1,
    values: Values = NO_VALUES,
    masks: Masks | None = None,
    density: float | None = None,
    most: int = MOST_SLICES,
    progress: Callable[[int], None] | None = None,
) -> Trace:
    """The trace of a program's first run, the host always ready; every cycle is stepped through.

    Parameters
    ----------
    most : int
        If there are more slices, the levels of a pass become one, then the slices of other tracks
        in a pass, then those of a command, then those of a layer: amounts are added up, and the
        slice lasts from the first to the last of them.

    The others, and the errors, are those of `sim.cycles.predict.predict`.
    """
    check_traced(program.config)
    if masks is not None or density is not None:
        check_skipping(program.config, density)
    stream = command_stream(program, dry=dry, values=values)
    bits = NO_MASKS if masks is None else masks
    with machine(program, stream, rate=rate, masks=bits, density=density) as model:
        model_library().rowforge_model_trace(model.handle, most)
        model.run(skip=False, progress=progress)
        return _read(program, model)


def check_traced(config: Config) -> None:
    """Raises `RowforgeError` for a configuration of which no trace is made."""
    check_modelled(config)
    check_single(config, "units are traced")


def _read(program: Program, model: Machine) -> Trace:
    library, array = model_library(), program.config.array
    sizes = np.zeros(3, np.int64)
    library.rowforge_model_trace_sizes(model.handle, sizes.ctypes.data)
    slices = np.zeros((sizes[0], len(SLICE)), np.int64)
    touches = np.zeros((sizes[1], len(TOUCH)), np.int64)
    layers = np.zeros(sizes[2], np.int64)
    running = np.zeros((sizes[2], array.cols, array.rows), np.int64)
    parts = (slices, touches, layers, running)
    library.rowforge_model_trace_read(model.handle, *(part.ctypes.data for part in parts))
    order = np.lexsort((slices[:, SLICE.index("begin")], slices[:, SLICE.index("track")]))
    return Trace(
        slices=slices[order],
        touches=touches,
        running=dict(zip(layers.tolist(), running, strict=True)),
        cycles=model.cycles,
    )
