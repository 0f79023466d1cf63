"""An accelerator whose coverage is counted: networks by a driver, broken streams word by word."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from hw.arch.config import Config
from sim.coverage.functional import FunctionalCoverage
from sim.coverage.library import CoveredLibrary
from sim.coverage.points import Hits, read_points
from sim.link import RtlLink
from sim.rtl import SimulationTimeoutError, Words

_PATIENCE = 1 << 21  # cycles in which nothing moves: more than a watchdog waits


class CoveredDevice(RtlLink):
    """A simulated accelerator that tells what was sent, answered and reached.

    Attributes
    ----------
    functional : FunctionalCoverage
        Of all words that went in and came out.
    """

    def __init__(self, config: Config, covered: CoveredLibrary, *, seed: int = 1) -> None:
        super().__init__(config, library=covered.library, seed=seed, patience=_PATIENCE)
        self.config = config
        self.functional = FunctionalCoverage(config)
        self._covered = covered
        self.engine.clear_coverage()

    def stall(self, seed: int | None) -> None:
        """Let both streams stall at random from now on, or with None no more."""
        self._stall_seed = seed

    def send(self, words: Words) -> None:
        self.functional.sent(words.tolist())
        super().send(words)

    def receive(self, count: int) -> Words:
        words = super().receive(count)
        self.functional.received(words.tolist())
        return words

    def provoke(self, words: Sequence[int], *, limit: int, idle: int) -> list[int]:
        """What comes back of any words within `limit` cycles; the accelerator is reset then.

        It ends earlier if all words were taken and nothing has moved for `idle` cycles.
        """
        array = np.array(words, dtype=np.uint64)
        self.functional.sent(array.tolist())
        beats = array.astype("<u8").view(self._beat).astype(np.uint64)
        try:
            found = self.engine.run(beats, None, limit, idle=idle, stall_seed=self._stall_seed)
            results = found.words
        except SimulationTimeoutError as error:
            results = error.words
        self.reset()
        whole = len(results) - len(results) % (8 // self._beat.itemsize)
        answer = [int(word) for word in results[:whole].astype(self._beat).view("<u8")]
        self.functional.received(answer)
        return answer

    def reset(self) -> None:
        """Reset the accelerator; a result block that was under way is no more."""
        super().reset()
        self.functional.reset()

    def hits(self) -> Hits:
        """What was reached so far."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "coverage.dat"
            self.engine.write_coverage(path)
            return read_points(path, self._covered.design, from_reset=True)
