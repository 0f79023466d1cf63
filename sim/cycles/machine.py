"""A program on the compiled cycle model: made, advanced to its end, read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from hw.arch.config.section import per_mille
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from sim.cycles.library import model_library
from sim.cycles.records import COUNTER_NAMES, config_values
from sim.cycles.routed import RoutedStream
from sim.cycles.stream import CommandStream

Numbers = NDArray[np.int64]

_SLICE = 200_000  # cycles between two chances to interrupt or to report
_MOST = 1 << 40


def run_to_end(
    name: str,
    advance: Callable[[int], int],
    *,
    cycles: Callable[[], int],
    error: Callable[[], bytes],
    progress: Callable[[int], None] | None,
) -> None:
    """Advance a model to the end of a program, some cycles at a time.

    Parameters
    ----------
    name : str
        Of the program.
    advance : callable
        Goes on for about so many cycles; what it returns is 0 before the end, 1 at it, and -1 if
        the program cannot run.
    cycles, error : callable
        The cycles so far; why the program cannot run.
    progress : callable or None
        Told the cycles so far, now and then.

    Raises `RowforgeError` if the program cannot run or does not end.
    """
    while not (ended := advance(_SLICE)):
        if progress is not None:
            progress(cycles())
        if cycles() > _MOST:
            raise RowforgeError(f"the program {name} does not end")
    if ended < 0:
        raise RowforgeError(error().decode())


class Machine:
    """The model with a program's commands in front of it; see `machine` and `mesh_machine`.

    Attributes
    ----------
    handle : of the C++ object
    queries : for each counter block of a cluster, the layer that it belongs to
    """

    def __init__(self, handle: int, program: Program, queries: Sequence[int]) -> None:
        self.handle, self.queries = handle, queries
        self._name, self._clusters = program.name, program.config.clusters.count
        self._library = model_library()

    @property
    def cycles(self) -> int:
        """So far."""
        return int(self._library.rowforge_model_cycles(self.handle))

    @property
    def stepped(self) -> int:
        """Those that were simulated one by one; of clusters, the most of one."""
        return int(self._library.rowforge_model_stepped(self.handle))

    def run(self, *, skip: bool, progress: Callable[[int], None] | None = None) -> None:
        """Advance to the end of the program; `skip`: take known passes at once.

        Raises `RowforgeError` if the program cannot run or does not end.
        """
        library = self._library
        run_to_end(
            self._name,
            lambda cycles: library.rowforge_model_advance(self.handle, cycles, skip),
            cycles=lambda: self.cycles,
            error=lambda: library.rowforge_model_error(self.handle),
            progress=progress,
        )

    def blocks(self) -> Numbers:
        """The counter blocks: cluster, block, counters in the order of `COUNTER_NAMES`."""
        count = self._library.rowforge_model_blocks(self.handle)
        blocks = np.zeros((self._clusters, count, len(COUNTER_NAMES)), np.int64)
        self._library.rowforge_model_read(self.handle, blocks.ctypes.data)
        return blocks


@contextmanager
def machine(
    program: Program,
    stream: CommandStream,
    *,
    rate: float,
    masks: NDArray[np.uint8],
    density: float | None,
) -> Iterator[Machine]:
    """A model in front of the program's first cycle; parameters as of `predict`."""
    library = model_library()
    numbers = np.array(config_values(program.config), dtype=np.int64)
    handle = library.rowforge_model_create(
        numbers.ctypes.data,
        stream.words.ctypes.data,
        stream.counts.ctypes.data,
        stream.stored_counts.ctypes.data,
        stream.total,
        stream.gates.ctypes.data,
        len(stream.gates),
        masks.ctypes.data,
        8 * len(masks),
        drawn(density),
        per_mille(rate),
    )
    try:
        yield Machine(handle, program, stream.queries)
    finally:
        library.rowforge_model_destroy(handle)


@contextmanager
def mesh_machine(
    program: Program,
    stream: RoutedStream,
    *,
    rate: float,
    masks: Sequence[NDArray[np.uint8]],
    density: float | None,
) -> Iterator[Machine]:
    """The same for several clusters, each with masks of its own."""
    library = model_library()
    numbers = np.array(config_values(program.config), dtype=np.int64)
    handle = library.rowforge_mesh_create(
        numbers.ctypes.data,
        stream.total,
        stream.gates.ctypes.data,
        len(stream.gates),
        stream.routes.ctypes.data,
        len(stream.routes),
        per_mille(rate),
    )
    try:
        for words, bits in zip(stream.clusters, masks, strict=True):
            library.rowforge_mesh_add(
                handle,
                numbers.ctypes.data,
                words.ctypes.data,
                bits.ctypes.data,
                8 * len(bits),
                drawn(density),
            )
        yield Machine(handle, program, stream.queries)
    finally:
        library.rowforge_model_destroy(handle)


def drawn(density: float | None) -> int:
    """A density as the model takes it: per mille, -1 for none."""
    return -1 if density is None else per_mille(density)
