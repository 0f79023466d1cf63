"""The RTL simulator as an engine for streams of words."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_NEVER = 2**64 - 1
_SLICE = 20_000  # cycles between two chances to interrupt or to report; about a second at most
_RESET_CYCLES = 4


@dataclass(frozen=True)
class RunResult:
    """Outcome of a run.

    Attributes
    ----------
    words : array of uint64
        Result words in order. More than expected if more came while words were still going in.
    cycles : int
        Clock cycles from the first word accepted to the last result accepted, both included.
    elapsed : int
        All clock cycles of the run.
    """

    words: Words
    cycles: int
    elapsed: int


class SimulationTimeoutError(RuntimeError):
    """A run did not end in the allowed cycles; carries how far it came."""

    def __init__(
        self, *, accepted: int, offered: int, expect: int | None, words: Words, cycles: int
    ):
        self.accepted = accepted
        self.offered = offered
        self.expect = expect
        self.words = words
        self.cycles = cycles
        wanted = "any" if expect is None else str(expect)
        super().__init__(
            f"after {cycles} cycles the simulated engine had accepted {accepted} of {offered} words"
            f" and given {len(words)} of {wanted} results"
        )


class RtlEngine:
    """A simulated stream-to-stream design.

    Time stands still between calls. Registers without an initial value start at random, the same
    for the same seed.

    Parameters
    ----------
    library : path
        From `sim.verilator.build_library` or `cached_build`.
    seed : int
        Of the random contents at the start.
    trace : path or None
        Waveform file; the library must have been built with a trace format.
    """

    def __init__(self, library: str | Path, *, seed: int = 1, trace: str | Path | None = None):
        self._library = _bind(library)
        path = None if trace is None else str(trace).encode()
        self._handle: int | None = self._library.rowforge_create(seed & 0x7FFFFFFF, path)
        self.reset()

    @property
    def total_cycles(self) -> int:
        """Clock cycles since the engine was made, resets included."""
        return self._status()[5]

    @property
    def violations(self) -> int:
        """Breaches of the rules of a memory since the engine was made."""
        return self._status()[6]

    def reset(self) -> None:
        """Hold the reset for a few cycles, both streams idle."""
        self._library.rowforge_reset(self._handle, _RESET_CYCLES)

    def pace(self, rate: int) -> None:
        """Let `rate` thousandths of a beat cross a cycle from now on, both directions together.

        A beat crosses while the credit is a whole one, at most one is saved, and both directions
        may borrow in one cycle. 1000 and more: a beat in each direction every cycle.
        """
        self._library.rowforge_pace(self._handle, rate)

    def run(
        self,
        words: Words,
        expect: int | None,
        max_cycles: int,
        *,
        stall_seed: int | None = None,
        idle: int = 1000,
        progress: Callable[[int], None] | None = None,
        zeros: int | None = None,
        slice_cycles: int = _SLICE,
    ) -> RunResult:
        """Feed words and collect results, one of each a cycle at most (less after `pace`).

        Parameters
        ----------
        words : array of uint64
            Offered back to back.
        expect : int or None
            The run ends when all words are accepted and so many results received; with None, when
            all words are accepted and nothing has moved on either stream for `idle` cycles.
        max_cycles : int
            Limit for this run.
        stall_seed : int or None
            With a seed, words are offered and results accepted at random, about half the time.
        progress : callable or None
            Told the cycles of this run now and then.
        zeros : int or None
            In place of `expect`: the run ends when so many results were 0.
        slice_cycles : int
            Cycles between two calls of `progress`.

        Raises
        ------
        SimulationTimeoutError
            If the run has not ended after `max_cycles`.
        """
        data = np.ascontiguousarray(words, dtype=np.uint64)
        self._library.rowforge_begin(
            self._handle,
            data.ctypes.data,
            len(data),
            _NEVER if expect is None else expect,
            idle,
            stall_seed is not None,
            (stall_seed or 0) & _NEVER,
        )
        if zeros is not None:
            self._library.rowforge_expect_zeros(self._handle, zeros)
        done, spent = False, 0
        while not done and spent < max_cycles:
            step = min(slice_cycles, max_cycles - spent)
            done = bool(self._library.rowforge_advance(self._handle, step))
            spent += step
            if progress is not None:
                progress(self._status()[2])
        accepted, received, elapsed, first, last, *_ = self._status()
        results = self._results(received)
        if not done:
            raise SimulationTimeoutError(
                accepted=accepted, offered=len(data), expect=expect, words=results, cycles=elapsed
            )
        cycles = last - first + 1 if accepted and received else elapsed
        return RunResult(results, cycles, elapsed)

    def clear_coverage(self) -> None:
        """Count coverage from here on; the library must be one of `sim.coverage.library`."""
        self._library.rowforge_clear_coverage(self._handle)

    def write_coverage(self, path: Path) -> None:
        """Write what `sim.coverage.points.read_points` reads, of all that was run so far."""
        self._library.rowforge_write_coverage(self._handle, str(path).encode())

    def close(self) -> None:
        """Free the simulation and finish the waveform file. The engine cannot be used after."""
        if self._handle is not None:
            self._library.rowforge_destroy(self._handle)
            self._handle = None

    def __enter__(self) -> "RtlEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self.close()

    def _status(self) -> tuple[int, ...]:
        status = (ctypes.c_uint64 * 7)()
        self._library.rowforge_status(self._handle, status)
        return tuple(status)

    def _results(self, count: int) -> Words:
        if count == 0:
            return np.zeros(0, np.uint64)
        pointer = self._library.rowforge_results(self._handle)
        return np.ctypeslib.as_array(pointer, (count,)).copy()


def _bind(library: str | Path) -> ctypes.CDLL:
    """Load a library and declare its functions."""
    bound = ctypes.CDLL(str(library))
    handle, number = ctypes.c_void_p, ctypes.c_uint64
    bound.rowforge_create.restype = handle
    bound.rowforge_create.argtypes = [number, ctypes.c_char_p]
    bound.rowforge_destroy.argtypes = [handle]
    bound.rowforge_reset.argtypes = [handle, number]
    bound.rowforge_begin.argtypes = [handle, handle, number, number, number, ctypes.c_int, number]
    bound.rowforge_expect_zeros.argtypes = [handle, number]
    bound.rowforge_pace.argtypes = [handle, ctypes.c_int64]
    bound.rowforge_advance.restype = ctypes.c_int
    bound.rowforge_advance.argtypes = [handle, number]
    bound.rowforge_status.argtypes = [handle, ctypes.POINTER(number)]
    bound.rowforge_results.restype = ctypes.POINTER(number)
    bound.rowforge_results.argtypes = [handle]
    if hasattr(bound, "rowforge_write_coverage"):
        bound.rowforge_clear_coverage.argtypes = [handle]
        bound.rowforge_write_coverage.argtypes = [handle, ctypes.c_char_p]
    return bound
