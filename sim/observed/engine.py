"""A simulation whose signals are noted in every cycle, or whose waves are written for a while."""

import ctypes
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.errors import RowforgeError
from sim.link import TOP, accelerator_verilog
from sim.observed.signals import Probe, probes, readable
from sim.rtl import RtlEngine, RunResult, Words
from sim.verilator import Build, cached_build, sources_digest

Samples: TypeAlias = Mapping[str, NDArray[Any]]
"""Values of signals by their name, one for each cycle."""

_FOLDER = Path(__file__).parent
_SMALL: tuple[type[np.generic], ...] = (np.uint8, np.uint16, np.uint32)
_NONE = np.zeros(0, np.uint8)
_NOTED = 20_000  # cycles after which notes are taken out of the simulation

MOST_NOTED = 4_000_000
"""Cycles that are noted at most: one takes some 50 bytes, and 200 more while slices are made."""


def observed_library(
    config: Config, *, form: Literal["vcd", "fst"] = "vcd", optimise: str = "-O2"
) -> Path:
    """The simulation library of an accelerator without a memory outside, made to be observed.

    Its Verilog is the emitted one; Verilator is told which of its signals will be read.
    """
    rules = readable(config)
    build = Build(
        top=TOP,
        trace=form,
        optimise=optimise,
        harness=_FOLDER / "harness.cpp",
        headers=(_FOLDER.parent / "rtl_harness.cpp",),
        rules=rules,
    )
    parts = [sources_digest(), TOP, f"{config_hash(config):016x}"]
    return cached_build(parts, lambda: accelerator_verilog(config), build)


def too_long(most: int = MOST_NOTED) -> str:
    """What is said of a program that takes more cycles than are noted."""
    return (
        f"--trace of the RTL must be of a program of at most {most:,} cycles: every one of them is "
        "kept in memory; --target golden makes the same trace by the exact model"
    )


class ObservedEngine(RtlEngine):
    """A simulation from `observed_library`; a cycle is what `total_cycles` counts.

    Parameters
    ----------
    library : path
    config : Config
    waves : path or None
        File for waves, in the form for which the library was built; nothing is written before a
        `window` is opened.
    most : int
        Cycles that are noted at most.
    """

    def __init__(
        self,
        library: Path,
        config: Config,
        *,
        waves: Path | None = None,
        most: int = MOST_NOTED,
    ) -> None:
        self._most, self._noted = most, 0
        self._parts: dict[str, list[NDArray[Any]]] = {}
        self._types: list[type[np.generic]] = []
        super().__init__(library, trace="" if waves is None else waves)
        handle, number = ctypes.c_void_p, ctypes.c_uint64
        library_ = self._library
        library_.rowforge_window.argtypes = [handle, number, number]
        library_.rowforge_probe.argtypes = [
            *(handle, ctypes.c_char_p, ctypes.c_char_p),
            *(ctypes.c_int, ctypes.c_int),
        ]
        library_.rowforge_note.argtypes = [handle, ctypes.c_int]
        library_.rowforge_notes.restype = number
        library_.rowforge_notes.argtypes = [handle, ctypes.POINTER(ctypes.POINTER(number))]
        for name, probe in probes(config).items():
            self._add(name, probe)

    def _add(self, name: str, probe: Probe) -> None:
        known = self._library.rowforge_probe(
            *(self._handle, probe.block.encode(), probe.name.encode()), probe.low, probe.width
        )
        if not known:
            raise RuntimeError(f"the simulation has no {probe.name} in {probe.block}")
        self._parts[name] = []
        small = next((kind for kind in _SMALL if probe.width <= 8 * kind().itemsize), np.int64)
        self._types.append(small)

    def window(self, begin: int, end: int) -> None:
        """Write waves from cycle `begin` to before `end`."""
        self._library.rowforge_window(self._handle, begin, end)

    def note(self) -> None:
        """Forget what was noted; note all signals from the next cycle on."""
        self._take()
        for parts in self._parts.values():
            parts.clear()
        self._noted = 0
        self._library.rowforge_note(self._handle, 1)

    def samples(self) -> Samples:
        """What was noted since."""
        self._take()
        return {name: np.concatenate([_NONE, *parts]) for name, parts in self._parts.items()}

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
        slice_cycles: int = _NOTED,
    ) -> RunResult:
        """As `RtlEngine.run`; notes are taken out now and then.

        Raises `RowforgeError` when more cycles have been noted than there may be.
        """

        def advanced(cycles: int) -> None:
            self._take()
            if progress is not None:
                progress(cycles)

        return super().run(
            words,
            expect,
            max_cycles,
            stall_seed=stall_seed,
            idle=idle,
            progress=advanced,
            zeros=zeros,
            slice_cycles=slice_cycles,
        )

    def _take(self) -> None:
        """Copy what was noted since the last time."""
        values = ctypes.POINTER(ctypes.c_uint64)()
        count = self._library.rowforge_notes(self._handle, ctypes.byref(values))
        if not count:
            return
        rows = np.ctypeslib.as_array(values, (count,)).reshape(-1, len(self._types))
        self._noted += len(rows)
        if self._noted > self._most:
            raise RowforgeError(too_long(self._most))
        columns = zip(self._parts.values(), self._types, rows.T, strict=True)
        for parts, kind, column in columns:
            parts.append(column.astype(kind))
