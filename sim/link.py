"""A simulated accelerator behind the driver's link: the emitted Verilog, run by Verilator."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from hw.arch.commands import MAGIC
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.config.section import per_mille
from hw.arch.program import Words
from hw.emit.prefix import PREFIX
from sim.outside.behaviour import PROMPT, AxiBehaviour, sources_of_memories
from sim.rtl import RtlEngine, SimulationTimeoutError
from sim.verilator import Build, cached_build, sources_digest
from sw_driver.protocol.errors import LinkError

TOP = PREFIX
Progress = Callable[[int], None]

_PATIENCE = 1 << 26  # cycles; the hardware's own watchdog speaks long before


def rtl_library(
    config: Config,
    *,
    trace: Literal["vcd", "fst"] | None = None,
    optimise: str = "-O2",
    memory: AxiBehaviour = PROMPT,
) -> Path:
    """The simulation library of a configuration; elaborated and compiled only the first time.

    A memory outside of the core is simulated with it, one behind AXI with the behaviour `memory`.
    The key is the hash of the configuration with the digest of the gateware's sources and tools.
    """
    parts = [sources_digest(), TOP, f"{config_hash(config):016x}"]
    if config.memory.outside:
        parts += [sources_of_memories(), repr(memory)]
    build = Build(top=TOP, trace=trace, optimise=optimise, violations=config.memory.outside)
    return cached_build(parts, lambda: _verilog(config, memory), build)


def _verilog(config: Config, behaviour: AxiBehaviour) -> str:
    """The accelerator with the memory outside of it, if it has one."""
    if not config.memory.outside:
        return accelerator_verilog(config)
    from hw.emit.verilog import emit
    from hw.top.accelerator import AcceleratorCore
    from sim.outside.attached import attached

    return emit(attached(AcceleratorCore(config), config.memory, behaviour), TOP)


def accelerator_verilog(config: Config) -> str:
    """The emitted Verilog of a configuration, all modules."""
    from hw.emit.verilog import emit
    from hw.top.accelerator import (
        AcceleratorCore,  # amaranth is slow to import and needed on a miss only
    )

    return emit(AcceleratorCore(config), TOP)


class RtlLink:
    """A `sw_driver.protocol.link.Link` to a simulation of the accelerator.

    Words are queued by `send` and cross as beats of `link.width` bits, the least significant first.
    The clock runs while `receive` waits for results, and then only: the host takes no time and is
    always ready, so that `cycles` is the contract's cycle count.

    Parameters
    ----------
    config : Config
        Of the accelerator to simulate.
    stall_seed : int or None
        With a seed, both streams stall at random about half the time.
    seed : int
        Of the registers' random contents at the start.
    trace : path or None
        Waveform file, `.fst` or `.vcd`.
    patience : int
        Cycles in which nothing moves on either stream before a wait is given up. Must exceed the
        cycles of any one CONV command.
    progress : callable or None
        Told the cycles of the program so far, now and then.
    optimise : str
        C++ compiler option: "-O0" builds faster and runs slower.
    library : path or None
        A simulation of the same ports, such as a netlist's, in place of the emitted Verilog's.
    rate : float
        Link words a cycle, both directions together, as `link.rate`; 1: one each way.
    memory : AxiBehaviour
        Of a memory behind AXI.
    engine : RtlEngine or None
        A simulation of the accelerator that was made before, in place of one made here.
    """

    def __init__(
        self,
        config: Config,
        *,
        stall_seed: int | None = None,
        seed: int = 1,
        trace: Path | None = None,
        patience: int = _PATIENCE,
        progress: Progress | None = None,
        optimise: str = "-O2",
        library: Path | None = None,
        rate: float = 1,
        memory: AxiBehaviour = PROMPT,
        engine: RtlEngine | None = None,
    ):
        if engine is None:
            form: Literal["vcd", "fst"] = "vcd" if trace and trace.suffix == ".vcd" else "fst"
            if library is None:
                library = rtl_library(
                    config, trace=form if trace else None, optimise=optimise, memory=memory
                )
            engine = RtlEngine(library, seed=seed, trace=trace)
        self._engine = engine
        self._beat = np.dtype(f"<u{config.link.width // 8}")
        self._rate = per_mille(rate) * (8 // self._beat.itemsize)
        self._stall_seed = stall_seed
        self._patience = patience
        self._progress = progress
        self._pending: list[Words] = []
        self._results = np.zeros(0, dtype=np.uint64)
        self._cycles = 0

    @property
    def engine(self) -> RtlEngine:
        """The simulation itself."""
        return self._engine

    def send(self, words: Words) -> None:
        """Queue words; those that begin a program restart the cycle count."""
        if len(words) and int(words[0]) == MAGIC:
            self._pending.clear()
            self._results = self._results[:0]  # what a program left that ended with an error
            self._cycles = 0
            self._engine.pace(self._rate)
        self._pending.append(words.astype("<u8").view(self._beat).astype(np.uint64))

    def receive(self, count: int) -> Words:
        """The next result words; runs the clock until they are there.

        Raises `LinkError` if nothing moves for `patience` cycles; the simulation is reset then.
        """
        beats = count * (8 // self._beat.itemsize)
        while len(self._results) < beats:
            self._run(beats - len(self._results))
        taken, self._results = self._results[:beats], self._results[beats:]
        return taken.astype(self._beat).view("<u8").astype(np.uint64)

    def _run(self, wanted: int) -> None:
        """Run until all beats are accepted and so many results are there, or `patience` ends."""
        beats = np.concatenate([np.zeros(0, dtype=np.uint64), *self._pending])
        before, progress = self._cycles, self._progress
        try:
            result = self._engine.run(
                beats,
                wanted,
                self._patience,
                stall_seed=None if self._stall_seed is None else self._stall_seed + before,
                progress=None if progress is None else lambda cycles: progress(before + cycles),
            )
        except SimulationTimeoutError as error:
            if not error.accepted and not len(error.words):
                self._engine.reset()
                raise LinkError(str(error)) from error
            self._pending = [beats[error.accepted :]] if error.accepted < len(beats) else []
            self._take(error.words, error.cycles)
        else:
            self._pending = []
            self._take(result.words, result.elapsed)

    def _take(self, words: Words, cycles: int) -> None:
        self._results = np.concatenate([self._results, words])
        self._cycles += cycles
        if broken := self._engine.violations:
            raise RuntimeError(f"the rules of the simulated SDRAM were broken {broken} times")

    def reset(self) -> None:
        """Reset the accelerator, whatever it does; words that are queued or not taken are lost."""
        self._engine.reset()
        self._pending.clear()
        self._results = self._results[:0]

    def cycles(self) -> int:
        """Clock cycles from the first word of the last program to its last result."""
        return self._cycles

    def close(self) -> None:
        """Free the simulation."""
        self._engine.close()
