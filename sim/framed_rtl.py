"""The framed link as RTL: the board's top without its PHY, bytes in and bytes out."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.frames import DELIMITER
from sim.outside.behaviour import sources_of_memories
from sim.rtl import RtlEngine, SimulationTimeoutError
from sim.verilator import Build, cached_build, sources_digest
from sw_driver.protocol.errors import LinkError

TOP = "rowforge_board"

_FRAME_DELIMITERS = 2  # in a reply: one before it, one after it
_SLICE = 500  # cycles between two signs of life: some hundredths of a second in a large array
_PATIENCE = 1 << 26  # cycles for one reply


def board_library(
    config: Config | None, *, optimise: str = "-O2", trace: Literal["vcd", "fst"] | None = None
) -> Path:
    """The simulation library of a framed accelerator, or with None of a framed loop-back.

    A memory outside of the core is simulated with it.
    """
    parts = [sources_digest(), TOP, "loopback" if config is None else f"{config_hash(config):016x}"]
    outside = config is not None and config.memory.outside
    if outside:
        parts.append(sources_of_memories())
    build = Build(
        top=TOP,
        stream_in="rx",
        stream_out="tx",
        optimise=optimise,
        trace=trace,
        violations=outside,
    )
    return cached_build(parts, lambda: _verilog(config), build)


def _verilog(config: Config | None) -> str:
    from hw.emit.verilog import emit
    from hw.top.serial import FramedAccelerator, FramedLoopback  # loads amaranth: on a miss only
    from sim.outside.attached import attached

    if config is None:
        return emit(FramedLoopback(), TOP)
    return emit(attached(FramedAccelerator(config), config.memory), TOP)


class FramedRtl:
    """A simulated device behind the line. The clock runs only while it owes replies.

    Parameters
    ----------
    library : path
        From `board_library`.
    stall_seed : int or None
        With a seed, both byte streams stall at random about half the time.
    """

    def __init__(self, library: Path, *, stall_seed: int | None = None, seed: int = 1):
        self._engine = RtlEngine(library, seed=seed)
        self._stall_seed = stall_seed
        self._inside = False  # bytes of a frame have come whose end has not
        self.cycles = 0

    @property
    def engine(self) -> RtlEngine:
        """The simulation itself."""
        return self._engine

    def feed(self, data: bytes, alive: Callable[[int], None] | None = None) -> bytes:
        """What the device answers to bytes from the line.

        Every frame but an empty one is answered, so the number of replies is known. `alive` is told
        the cycles so far, now and then. Raises `LinkError` if a reply does not come.
        """
        replies = self._frames(data)
        words = np.frombuffer(data, dtype=np.uint8).astype(np.uint64)
        try:
            result = self._engine.run(
                words,
                None,
                _PATIENCE,
                stall_seed=None if self._stall_seed is None else self._stall_seed + self.cycles,
                zeros=_FRAME_DELIMITERS * replies,
                progress=alive,
                slice_cycles=_SLICE,
            )
        except SimulationTimeoutError as error:
            raise LinkError(f"the simulated board does not answer: {error}") from error
        self.cycles += result.elapsed
        if broken := self._engine.violations:
            raise RuntimeError(f"the rules of the simulated SDRAM were broken {broken} times")
        return result.words.astype(np.uint8).tobytes()

    def _frames(self, data: bytes) -> int:
        """Frames that these bytes complete, damaged ones included."""
        first, *others = data.split(bytes([DELIMITER]))
        if not others:
            self._inside = self._inside or bool(first)
            return 0
        complete = bool(first) or self._inside
        self._inside = bool(others[-1])
        return complete + sum(map(bool, others[:-1]))

    def stall(self, seed: int | None) -> None:
        """Let both byte streams stall at random from now on, or with None no more."""
        self._stall_seed = seed

    def reset(self) -> None:
        """Press the board's reset button."""
        self._engine.reset()
        self._inside = False

    def close(self) -> None:
        """Free the simulation."""
        self._engine.close()
