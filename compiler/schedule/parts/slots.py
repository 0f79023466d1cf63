"""Buffers of equal size that parts of one tensor take in turn, checked whenever one is used."""

from dataclasses import dataclass

from compiler.stream.surface import Surface
from hw.arch.config import Config


@dataclass(frozen=True)
class Slots:
    """Buffers of `words` words each, one after the other from word `first` on.

    A part that ran over its buffer would overwrite what its neighbour still needs, and nothing
    after the compiler could tell: so every surface is checked, always, and an excess is an
    `AssertionError` that names it.
    """

    config: Config
    first: int
    words: int
    count: int

    @property
    def end(self) -> int:
        """The first word after all buffers."""
        return self.first + self.words * self.count

    def surface(
        self, number: int, shape: tuple[int, int, int, int], *, at: int = 0, raw: bool = False
    ) -> Surface:
        """A dense surface for part `number`, `at` words into the buffer whose turn it is."""
        begin = self.first + number % self.count * self.words
        surface = Surface.dense(self.config, begin + at, shape, raw=raw)
        last = surface.extent(self.config)[1]
        if at < 0 or last > begin + self.words:
            raise AssertionError(
                f"part {number} of shape {shape} ends {last - begin} words into a buffer of "
                f"{self.words}"
            )
        return surface
