"""What a schedule is chosen by: `Goal`, and in which order schedules are looked at."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from heapq import heapify, heappop, heappush
from math import ceil
from typing import Any, TypeAlias, TypeVar

from compiler.mapper.objective import PRICES
from compiler.stream.traffic import Transfers
from hw.arch.accesses import Accesses, Level
from hw.arch.accesses.sizes import access_bits
from hw.arch.config import LINK_WORD_BITS, Config

Figure: TypeAlias = tuple[float, ...]
"""What is to be small, then what breaks ties.

Nothing breaks ties of `cycles`: the schedule found first stays, which is that of the smaller lower
bound. A schedule of fewer words at equal cycles here may cost cycles in the layers that follow.
"""

OBJECTIVES = ("cycles", "traffic", "energy", "edp")

T = TypeVar("T")

_UNIT_BITS = 16  # of an access to which the prices belong
_NONE = Accesses()


class Goal:
    """Weighs schedules of a layer: whole ones with their transfers, and lower bounds alike.

    Every objective grows with cycles, with transfers and with accesses, so that the figure of a
    lower bound is a lower bound of the figure.

    Parameters
    ----------
    config : Config
        `link.rate` prices transfers.
    objective : "cycles", "traffic", "energy" or "edp"
        Cycles over a link of the configuration's rate; link words, then words of the buffer; energy
        by the normalised table; the product of energy and cycles of a layer.
    left_out : share of activations that codes are expected to leave out
        Where LOAD and STORE take codes, what they move counts as long as its code would be.

    Attributes
    ----------
    coded : words on the link for a word of activations that LOAD writes or STORE reads
    """

    def __init__(self, config: Config, objective: str, left_out: float = 0.0) -> None:
        self.config, self.objective = config, objective
        self._rate = config.link.rate
        width = config.array.data_width
        self.coded = min((1 + width * (1 - left_out)) / width, 1.0) if config.link.codes else 1.0

    def cycles(self, moves: Transfers, computing: int) -> int:
        """Cycles of a layer over a link of the configuration's rate."""
        return self._coded(moves).cycles(computing, self._rate)

    def figure(self, moves: Transfers, computing: int, accesses: Accesses = _NONE) -> Figure:
        """The figure of transfers beside so many cycles of computing, with accesses on the chip."""
        cycles, link = self.cycles(moves, computing), self._coded(moves).words
        if self.objective == "cycles":
            return (cycles,)
        if self.objective == "traffic":
            return (link, accesses.words(Level.BUFFER), cycles)
        energy = self._energy(link, accesses)
        return (energy * cycles if self.objective == "edp" else energy, cycles, link)

    def beyond(self, figure: Figure, words: int) -> Figure:
        """A figure with link words that a schedule causes before or after the layer."""
        cycles = words / self._rate
        if self.objective == "cycles":
            return (figure[0] + cycles,)
        if self.objective == "traffic":
            return (figure[0] + words, figure[1], figure[2] + cycles)
        energy = self._energy(words, _NONE)
        if self.objective == "edp":
            before = figure[0] / figure[1] if figure[1] else 0.0
            energy = (before + energy) * (figure[1] + cycles) - figure[0]
        return (figure[0] + energy, figure[1] + cycles, figure[2] + words)

    def _coded(self, moves: Transfers) -> Transfers:
        if self.coded == 1:
            return moves
        left_out = int(moves.tensors * (1 - self.coded))
        return replace(
            moves,
            loaded=ceil(moves.loaded * self.coded),
            stored=ceil(moves.stored * self.coded),
            exposed=moves.exposed - left_out,
        )

    def _energy(self, link_words: int, accesses: Accesses) -> float:
        """In accesses of a register file."""
        total = link_words * LINK_WORD_BITS / _UNIT_BITS * PRICES[Level.LINK]
        for access, words in accesses.items():
            if access.level in PRICES:
                bits = access_bits(self.config, access)
                total += words * bits / _UNIT_BITS * PRICES[access.level]
        return total


def least_first(
    items: Iterable[tuple[T, Figure]], weigh: Callable[[T], tuple[Figure, Any, T]]
) -> Iterator[T]:
    """What `weigh` makes of items, least first, without weighing all of them.

    Parameters
    ----------
    items : each with a figure that is at most its own
    weigh : the own figure of an item, what orders items of equal figures, and the item to give;
        where all are equal, items come in their order
    """
    queue: list[tuple[Figure, bool, Any, int, T]] = [
        (figure, False, 0, number, item) for number, (item, figure) in enumerate(items)
    ]
    heapify(queue)
    while queue:
        # Of equal figures those that are not weighed come first: they may be less than the others.
        _, weighed, _, number, item = heappop(queue)
        if weighed:
            yield item
        else:
            figure, tie, found = weigh(item)
            heappush(queue, (figure, True, tie, number, found))
