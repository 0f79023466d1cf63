"""Random bursts on the RTL of a memory, words and cycles compared; see `port_harness.cpp`."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from sim.memory.cases import MemoryCase
from sim.outside.behaviour import sources_of_memories
from sim.verilator import Build, cached_build, sources_digest

_FOLDER = Path(__file__).parent
_MODELS = _FOLDER.parent / "cycles" / "model"
_BUILD = Build(
    top="rowforge_memory",
    harness=_FOLDER / "port_harness.cpp",
    headers=(_MODELS / "memory.h", _MODELS / "queue.h"),
)

KINDS = (
    *("power-up", "initialisation", "tRCD", "tRP", "tRAS", "tRC", "tRRD", "tRFC", "tWR", "tMRD"),
    *("row open", "row closed", "burst interrupted", "mode", "command", "data pins"),
    *("contention", "refresh late", "retention", "mask"),
)
"""Breaches of a chip's rules, in the order of the bits of `kinds`."""


@dataclass(frozen=True, kw_only=True)
class BurstTraffic:
    """How bursts are drawn; shares are thousandths.

    Attributes
    ----------
    bursts : how many
    beats : words of each; 0: 1 to 64, short ones more often
    areas : places of 256 words near which they lie; 0: anywhere
    sequential : share that goes on where the last one ended
    writes : share that writes
    pauses : share of cycles in which no new request comes
    stalls : share of cycles in which no new word to write comes
    delay : cycles before the first request
    shared : they come from three clients of an arbiter, each in a third of the memory
    """

    bursts: int
    beats: int = 0
    areas: int = 0
    sequential: int = 0
    writes: int = 500
    pauses: int = 0
    stalls: int = 0
    delay: int = 0
    shared: bool = False


@dataclass(frozen=True, kw_only=True)
class BurstOutcome:
    """What became of bursts.

    Attributes
    ----------
    cycles, words : of these bursts, which are over
    mismatches : words that were read wrong, too many or not at all
    differences : cycles in which the port's handshakes are not those of the cycle model
    violations, kinds : breaches of the chip's rules since the start
    activates, refreshes : commands of these bursts
    longest : cycles that a request waited
    """

    cycles: int
    words: int
    mismatches: int
    differences: int
    violations: int
    kinds: int
    activates: int
    refreshes: int
    longest: int

    @property
    def found(self) -> list[str]:
        """Names of the rules that were not kept, and "words" if some were wrong."""
        broken = [name for bit, name in enumerate(KINDS) if self.kinds >> bit & 1]
        return broken + ["words"] * bool(self.mismatches)


class MemoryBench:
    """A simulated memory, and the words that it ought to hold.

    Parameters
    ----------
    cases : sequence of memory cases
        What is translated, together.
    which : int
        The place of the one that is simulated.
    seed : int
        Of all that is random.
    optimise : str
        Compiler option for the code that runs every cycle.
    """

    def __init__(
        self, cases: Sequence[MemoryCase], which: int = 0, *, seed: int = 1, optimise: str = "-O2"
    ) -> None:
        self._library = bound = ctypes.CDLL(str(_library(tuple(cases), optimise)))
        number, handle = ctypes.c_uint64, ctypes.c_void_p
        bound.rowforge_memory_create.restype = handle
        bound.rowforge_memory_create.argtypes = [*[ctypes.c_int] * 3, number, handle]
        bound.rowforge_memory_destroy.argtypes = [handle]
        bound.rowforge_memory_run.argtypes = [handle] * 3
        case = cases[which]
        bits, port_bits = case.address_bits, max(each.address_bits for each in cases)
        parameters = (ctypes.c_int64 * len(case.parameters))(*case.parameters)
        self._handle: int | None = bound.rowforge_memory_create(
            which, bits, port_bits, seed, parameters
        )

    def run(self, traffic: BurstTraffic) -> BurstOutcome:
        """Ask for bursts and wait for all their words."""
        values = [getattr(traffic, item.name) for item in fields(traffic)]
        given = (ctypes.c_int64 * len(values))(*values)
        found = (ctypes.c_int64 * len(fields(BurstOutcome)))()
        self._library.rowforge_memory_run(self._handle, given, found)
        names = (item.name for item in fields(BurstOutcome))
        return BurstOutcome(**dict(zip(names, found, strict=True)))

    def close(self) -> None:
        """Free the simulation, which cannot be used after."""
        if self._handle is not None:
            self._library.rowforge_memory_destroy(self._handle)
            self._handle = None

    def __enter__(self) -> "MemoryBench":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _library(cases: tuple[MemoryCase, ...], optimise: str) -> Path:
    """The simulation of some memories."""

    def verilog() -> str:
        from hw.emit.verilog import emit
        from sim.memory.design import SimulatedMemories, memory_of  # loads amaranth: on a miss only

        return emit(SimulatedMemories([memory_of(case) for case in cases]), _BUILD.top)

    texts = [sources_of_memories(), (_FOLDER / "design.py").read_text(encoding="utf-8")]
    build = replace(_BUILD, optimise=optimise)
    return cached_build((sources_digest(), *texts, repr(cases)), verilog, build)
