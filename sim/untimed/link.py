"""The side of an executor without time that faces the link: `UntimedLink`."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from hw.arch.program import Words
from sw_driver.protocol.errors import LinkError

NOTHING: Words = np.zeros(0, dtype=np.uint64)


class UntimedLink(ABC):
    """A link whose other end executes what it is sent as soon as that is complete."""

    _WHO: ClassVar[str]
    """Who owes results, and waits, as a message says it: "the accelerator owes", "it waits"."""
    _WAITS: ClassVar[str]

    def __init__(self) -> None:
        self._input = NOTHING
        self._output = NOTHING
        self._begun = False

    @abstractmethod
    def _advance(self) -> bool:
        """Execute what stands first in the input; whether that may have to be repeated."""

    def send(self, words: Words) -> None:
        """Take words of the command stream; complete commands are executed."""
        self._input = np.concatenate([self._input, np.asarray(words, dtype=np.uint64)])
        while self._advance():
            pass

    def _give(self, *parts: Words | Sequence[int]) -> None:
        """Result words, in order."""
        words = [np.asarray(part, dtype=np.uint64) for part in parts]
        self._output = np.concatenate([self._output, *words])

    def receive(self, count: int) -> Words:
        """The next result words; `LinkError` if the other end has not made so many."""
        if count > len(self._output):
            raise LinkError(
                f"{self._WHO} {len(self._output)} result words, not {count}: "
                f"{self._WAITS} for {'a command' if self._begun else 'a program'}"
            )
        words, self._output = self._output[:count], self._output[count:]
        return words

    def take_all(self) -> Words:
        """All result words that are there."""
        return self.receive(len(self._output))

    @property
    def between_programs(self) -> bool:
        """Whether no program has begun that has not ended, and no word of one waits."""
        return not self._begun and not len(self._input)

    def cycles(self) -> int | None:
        """No time passes here."""
        return None

    def close(self) -> None:
        """Nothing is open."""
        return
