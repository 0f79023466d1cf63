"""A simulated accelerator behind the driver's link, observed: `ObservedLink`."""

from pathlib import Path
from typing import Literal

from hw.arch.commands import MAGIC
from hw.arch.config import Config
from hw.arch.program import Words
from sim.cycles.trace import MOST_SLICES, Trace
from sim.link import Progress, RtlLink
from sim.observed.engine import ObservedEngine, observed_library
from sim.observed.slices import observed_trace


class ObservedLink(RtlLink):
    """As `RtlLink`; a program is observed from its first word on, and the last one is kept.

    Parameters
    ----------
    config : Config
        Without several clusters, a microcontroller or a memory of its own.
    waves : path or None
        File for waves, `.vcd` or `.fst`.
    window : (int, int)
        Cycles of a program of which waves are written, to before the second.
    noted : bool
        Whether signals are noted, for `trace`.
    unseen : int
        Programs at first that are not observed: one fills a weight memory before the run.
    progress : callable or None
        Told the cycles of the program so far, now and then.
    optimise : str
        C++ compiler option: "-O0" builds faster and runs slower.
    """

    def __init__(
        self,
        config: Config,
        *,
        waves: Path | None = None,
        window: tuple[int, int] = (0, 0),
        noted: bool = True,
        unseen: int = 0,
        progress: Progress | None = None,
        optimise: str = "-O2",
    ) -> None:
        form: Literal["vcd", "fst"] = "fst" if waves and waves.suffix == ".fst" else "vcd"
        library = observed_library(config, form=form, optimise=optimise)
        self._observed = ObservedEngine(library, config, waves=waves)
        self._config, self._window = config, window
        self._noted, self._unseen = noted, unseen
        super().__init__(config, engine=self._observed, progress=progress)

    def send(self, words: Words) -> None:
        begins = len(words) > 0 and int(words[0]) == MAGIC
        if begins and self._unseen:
            self._unseen -= 1
        elif begins:
            if self._noted:
                self._observed.note()
            begin, end = (self._observed.total_cycles + cycle for cycle in self._window)
            self._observed.window(begin, end)
        super().send(words)

    def trace(self, most: int = MOST_SLICES) -> Trace:
        """The trace of the last program, of `most` slices; see `observed_trace`."""
        return observed_trace(self._config, self._observed.samples(), self.cycles(), most)
