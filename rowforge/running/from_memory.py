"""The cycles of a program in a memory of the accelerator's own, by the exact model."""

from dataclasses import dataclass, replace

from compiler.cache.kept import kept
from compiler.cache.source import COMPILER
from hw.arch.config import MemoryConfig
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from rowforge.running.progress import Progress
from sim.cycles.replays import predict_replays

# What a prediction is made by: the compiler makes the images, the others are the model.
_CODE = (*COMPILER, "sim/cycles", "sim/memory", "sim/outside")


@dataclass(frozen=True)
class MemoryCycles:
    """What an inference takes whose program and input lie in the memory.

    Attributes
    ----------
    cycles : those of its RUNs; None if they are not known
    said : a sentence with them, or why they are not known
    """

    cycles: int | None
    said: str


def memory_cycles(program: Program, density: float | None = None) -> MemoryCycles:
    """Predict the RUNs of a program, whose configuration has a memory.

    `density` : as of `sim.cycles.replays.predict_replays`; None: as if no activation were zero

    What was predicted before comes from the user's cache folder, see `compiler.cache`.
    """
    try:
        runs: tuple[int, ...] = kept(
            "memory",
            (replace(program, layers=()), density),  # their figures move no word
            lambda: _runs(program, density),
            pack=list,
            unpack=tuple,
            code=_CODE,
        )
    except RowforgeError as error:
        return MemoryCycles(None, f"from the memory: not known, since {error}")
    config, cycles = program.config, sum(runs)
    parts = [f"from the memory: {cycles:,} cycles{_time(config.memory, cycles)}"]
    if len(runs) > 1:
        parts.append(f"in {len(runs)} RUNs, host steps apart")
    if config.memory.kind == "axi":
        parts.append("behind AXI4 with a latency of 1 cycle")
    if density is not None:
        parts.append(f"if a share of {density:g} of all ifmap words is not zero")
    elif config.pe.kind == "skipping":
        parts.append("as if no activation were zero")
    return MemoryCycles(cycles, f"{', '.join(parts)}, by the exact model")


def _runs(program: Program, density: float | None) -> tuple[int, ...]:
    """The cycles of each RUN."""
    progress = Progress()
    try:
        return predict_replays(
            program,
            density=density,
            progress=lambda cycles: progress.show(f"replaying: {cycles:,} cycles"),
        ).runs
    finally:
        progress.clear()


def _time(memory: MemoryConfig, cycles: int) -> str:
    """The same as a time, where the clock is known."""
    if memory.kind != "sdram":
        return ""
    return f" ({cycles / memory.clock:.3g} ms at {memory.clock / 1000:g} MHz)"
