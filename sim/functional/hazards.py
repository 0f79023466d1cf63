"""Which buffer words unfinished work still reads or writes.

The executor finishes every command before the next; in hardware CONV and STORE go on. Until a
flag of a header or `sync` waits for them, the sets below persist from command to command, and
whoever touches a word in conflict with them would see a result that depends on timing. What CONV
does is kept by pass number: engines run at most one pass ahead, and results of a pass leave only
when all reads of the pass before are done.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hw.arch.config import Config
from hw.arch.program.layout import Ints, psum_capacity, psum_words
from sim.functional.errors import require

Flags: TypeAlias = NDArray[np.bool_]

_NEVER = -1
_MOST_NEWER = 3  # CONV commands that a wait for older ones may leave


class HazardCheck:
    """Reads and writes of unfinished commands, by buffer word and psum beat."""

    def __init__(self, config: Config):
        self._config = config
        words = config.buffer.banks * config.buffer.depth
        # The last pass that reads, writes, keeps a psum in the word.
        self._read, self._written, self._psum = (
            np.full(words, _NEVER, dtype=np.int64) for _ in range(3)
        )
        self._stored = np.zeros(words, dtype=bool)  # a STORE reads the word
        beats = psum_capacity(config)
        self._write_pass = np.full(beats, _NEVER, dtype=np.int64)  # last pass that wrote the beat
        self._write_window = np.zeros(beats, dtype=np.int64)
        self._read_pass = np.full(beats, _NEVER, dtype=np.int64)
        self._read_window = np.zeros(beats, dtype=np.int64)
        self._tables: dict[tuple[str, int], int] = {}  # the last pass that uses an entry
        self._number = 0
        self._firsts = [0] * _MOST_NEWER  # first pass of the newest CONV commands, the newest last

    # ---- who waits for whom -------------------------------------------------------------------

    def barrier(self) -> None:
        """All earlier work is done."""
        self.computed()
        self.stored()

    def computed(self) -> None:
        """All CONV commands are done."""
        self._number += 1  # no pass follows another directly any more
        self._firsts = [self._number] * _MOST_NEWER
        self.older(1)

    def older(self, newest: int) -> None:
        """All CONV commands but so many newest ones are done."""
        first = self._firsts[-newest]
        for last in (self._read, self._written, self._psum):
            last[last < first] = _NEVER
        self._tables = {key: last for key, last in self._tables.items() if last >= first}

    def stored(self) -> None:
        """All STORE commands are done."""
        self._stored.fill(False)

    def next_command(self) -> None:
        """A CONV begins; it may overlap the one before."""
        self._firsts = [*self._firsts[1:], self._number + 1]

    def next_pass(self) -> None:
        """A pass begins; it may overlap the one before."""
        self._number += 1

    # ---- words ------------------------------------------------------------------------------

    def read(self, words: Ints) -> None:
        """The current pass reads words."""
        self.check_read(words)
        self._read[words] = self._number

    def store(self, words: Ints) -> None:
        """A STORE reads words, and may take any time."""
        self.check_read(words)
        self._stored[words] = True

    def check_read(self, words: Ints) -> None:
        """Refuse to read what earlier work may still write."""
        self._refuse(words, self._written >= 0, "is read while earlier work may still write it")
        self._refuse(words, self._psum >= 0, "is read while psums may still be in it")

    def write(self, words: Ints) -> None:
        """The current pass writes results."""
        self._check_write(words, self._number)
        self._written[words] = self._number

    def overwrite(self, words: Ints) -> None:
        """LOAD or VECTOR writes words, and has written them when the next command begins."""
        self._check_write(words, 0)
        self._refuse(words, self._written >= 0, "is written while earlier work may still write it")

    def _check_write(self, words: Ints, busy: int) -> None:
        self._refuse(words, self._read >= busy, "is written while earlier work may still read it")
        self._refuse(words, self._stored, "is written while earlier work may still store it")
        self._refuse(words, self._psum >= 0, "is written while psums may still be in it")

    def _refuse(self, words: Ints, busy: Flags, why: str) -> None:
        hit = busy[words]
        if hit.any():
            require(
                False,
                f"word {int(words[hit].flat[0])} {why}; a flag of the header or sync is missing",
            )

    # ---- psums of a pass -----------------------------------------------------------------------

    def psums(self, reads: Ints, read_windows: Ints, writes: Ints, write_windows: Ints) -> None:
        """Psum beats of one pass, flat, with the window that each belongs to.

        A beat may be read for window f if the pass before wrote it for window f or earlier; a beat
        that the same pass writes must be written where it was read, since nothing else orders the
        two accesses.
        """
        self._distinct(reads, "read")
        self._distinct(writes, "written")
        before = np.where(
            self._write_pass[reads] == self._number - 1, self._write_window[reads], _NEVER
        )
        self._refuse_beats(reads, before > read_windows, "is read before the pass before writes it")
        self._read_pass[reads] = self._number
        self._read_window[reads] = read_windows
        elsewhere = (self._read_pass[writes] == self._number) & (
            self._read_window[writes] != write_windows
        )
        self._refuse_beats(writes, elsewhere, "is read and written for different windows of a pass")
        self._write_pass[writes] = self._number
        self._write_window[writes] = write_windows
        words = psum_words(self._config, np.concatenate([reads, writes]))
        busy = self._read >= self._number
        self._refuse(words, busy, "takes a psum while earlier work may still read it")
        self._refuse(words, self._stored, "takes a psum while earlier work may still store it")
        self._refuse(
            words, self._written >= 0, "takes a psum while earlier work may still write it"
        )
        self._psum[words] = self._number

    def _distinct(self, beats: Ints, what: str) -> None:
        values, counts = np.unique(beats, return_counts=True)
        self._refuse_beats(values, counts > 1, f"is {what} twice in a pass")

    def _refuse_beats(self, beats: Ints, hit: Flags, why: str) -> None:
        if hit.any():
            require(False, f"psum beat {int(beats[hit][0])} {why}")

    # ---- tables -----------------------------------------------------------------------------

    def use(self, table: str, first: int, count: int = 1) -> None:
        """The current pass uses entries of a table."""
        self._tables.update(((table, first + i), self._number) for i in range(count))

    def fill(self, table: str, first: int, count: int) -> None:
        """Entries of a table are written."""
        for i in range(count):
            require(
                (table, first + i) not in self._tables,
                f"{table} entry {first + i} is written while earlier work may still use it; "
                "a flag of the header is missing",
            )
