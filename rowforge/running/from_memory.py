"""The cycles of a program in a memory of the accelerator's own, by the exact model."""

from dataclasses import dataclass

from hw.arch.config import MemoryConfig
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from rowforge.running.progress import Progress
from sim.cycles.replays import predict_replays


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


def memory_cycles(program: Program) -> MemoryCycles:
    """Predict the RUNs of a program, whose configuration has a memory."""
    progress = Progress()
    try:
        found = predict_replays(
            program, progress=lambda cycles: progress.show(f"replaying: {cycles:,} cycles")
        )
    except RowforgeError as error:
        return MemoryCycles(None, f"from the memory: not known, since {error}")
    finally:
        progress.clear()
    config = program.config
    parts = [f"from the memory: {found.cycles:,} cycles{_time(config.memory, found.cycles)}"]
    if len(found.runs) > 1:
        parts.append(f"in {len(found.runs)} RUNs, host steps apart")
    if config.memory.kind == "axi":
        parts.append("behind AXI4 with a latency of 1 cycle")
    if config.pe.kind == "skipping":
        parts.append("as if no activation were zero")
    return MemoryCycles(found.cycles, f"{', '.join(parts)}, by the exact model")


def _time(memory: MemoryConfig, cycles: int) -> str:
    """The same as a time, where the clock is known."""
    if memory.kind != "sdram":
        return ""
    return f" ({cycles / memory.clock:.3g} ms at {memory.clock / 1000:g} MHz)"
