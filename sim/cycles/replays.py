"""The cycles of a program in a memory, RUN by RUN: `predict_replays`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from sim.cycles.library import model_library
from sim.cycles.machine import drawn, run_to_end
from sim.cycles.predict import NO_MASKS, Masks, by_layer, check_modelled, check_skipping
from sim.cycles.records import COUNTER_NAMES, config_values
from sim.cycles.session import HostSession, memory_parameters
from sim.outside.behaviour import PROMPT, AxiBehaviour


@dataclass(frozen=True)
class ReplayPrediction:
    """What a program in a memory takes.

    Attributes
    ----------
    runs : cycles of each RUN of one inference, as its block tells them
    layers : by layer index, the counters of the layer, as of `sim.cycles.predict.Prediction`
    session : cycles from the first word that the host sends to the last one that it gets, images
        and inputs included
    """

    runs: tuple[int, ...]
    layers: dict[int, dict[str, int]]
    session: int

    @property
    def cycles(self) -> int:
        """Of the inference: those of its RUNs."""
        return sum(self.runs)


def predict_replays(
    program: Program,
    *,
    behaviour: AxiBehaviour = PROMPT,
    masks: Masks | None = None,
    density: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> ReplayPrediction:
    """Cycles of a program's first run from the memory of its configuration; exact.

    The memory has just left its reset. The host reads the digest, writes the images and the first
    input, and runs each image when it has the results of the one before. It is always ready, and
    takes no time. Where the weight memory has to be filled, that has been done before, which moves
    the refreshes of an SDRAM by some cycles. Every cycle is stepped through.

    Parameters
    ----------
    program : Program
        With its filters, for a configuration with a memory.
    behaviour : AxiBehaviour
        Of a memory behind AXI: its latency. One that pauses at random is refused.
    masks, density, progress : as of `sim.cycles.predict.predict`

    Raises
    ------
    RowforgeError
        As `predict`, and for a configuration without a memory.
    """
    config = program.config
    check_modelled(config)
    if not config.memory.present:
        raise RowforgeError(
            'memory.kind must be "ram", "sdram" or "axi" where replays are predicted, not "none"'
        )
    if config.memory.kind == "axi" and (behaviour.pauses or behaviour.bad is not None):
        raise RowforgeError("a memory that pauses at random or fails cannot be predicted")
    if masks is not None or density is not None:
        check_skipping(config, density)
    session = HostSession.of(program)
    bits = NO_MASKS if masks is None else masks
    parameters = np.array(memory_parameters(config.memory, behaviour), np.int64)
    with _machine(program, session, parameters, bits, density) as handle:
        _advance(handle, program.name, progress)
        runs, blocks = _read(handle)
        cycles = int(model_library().rowforge_replay_cycles(handle))
    skips = masks is not None or density is not None
    layers, _ = by_layer(config, session.queries, blocks, skips=skips)
    return ReplayPrediction(tuple(runs.tolist()), layers, cycles)


@contextmanager
def _machine(
    program: Program,
    session: HostSession,
    memory: NDArray[np.int64],
    masks: Masks,
    density: float | None,
) -> Iterator[int]:
    library, stream = model_library(), session.stream
    numbers = np.array(config_values(program.config), dtype=np.int64)
    tables = (session.messages, session.images, session.records, session.gates)
    sizes = np.array([*map(len, tables), session.words, session.results], np.int64)
    handle = library.rowforge_replay_create(
        numbers.ctypes.data,
        stream.words.ctypes.data,
        stream.counts.ctypes.data,
        masks.ctypes.data,
        8 * len(masks),
        drawn(density),
        memory.ctypes.data,
        *(table.ctypes.data for table in tables),
        sizes.ctypes.data,
    )
    try:
        yield handle
    finally:
        library.rowforge_replay_destroy(handle)


def _advance(handle: int, name: str, progress: Callable[[int], None] | None) -> None:
    library = model_library()
    run_to_end(
        name,
        lambda cycles: library.rowforge_replay_advance(handle, cycles),
        cycles=lambda: library.rowforge_replay_cycles(handle),
        error=lambda: library.rowforge_replay_error(handle),
        progress=progress,
    )


def _read(handle: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cycles of the RUNs, and the counter blocks."""
    library = model_library()
    sizes = np.zeros(2, np.int64)
    library.rowforge_replay_sizes(handle, sizes.ctypes.data)
    runs = np.zeros(sizes[0], np.int64)
    blocks = np.zeros((sizes[1], len(COUNTER_NAMES)), np.int64)
    library.rowforge_replay_read(handle, runs.ctypes.data, blocks.ctypes.data)
    return runs, blocks
