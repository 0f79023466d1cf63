"""What layers move on the link, in which type, and the cycles that come of it."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from math import ceil
from typing import Any, NamedTuple

from hw.arch.accesses import Access, Accesses, DataType, Direction, Level
from hw.arch.config import LINK_WORD_BITS, Config

RESIDENT = Access(Level.BUFFER, DataType.FILTER, Direction.READ)
"""Filters that the weight memory holds, as `hw.arch.accesses.resident_bytes` counts them."""

LOADED = Access(Level.BUFFER, DataType.IFMAP, Direction.WRITE)
STORED = Access(Level.BUFFER, DataType.OFMAP, Direction.READ)
FILLED = Access(Level.BUFFER, DataType.FILTER, Direction.WRITE)
"""What LOAD and STORE move at the buffer: tensors, and filters that are read there."""

_HIDDEN = 0.875  # of the computing time, measured with the exact cycle model
# Of the time that a slow link takes for what it moves while the array computes, what is not hidden
# at begins and ends of tiles: 7 to 17 % for schedules of AlexNet's layers over 0.3 words a cycle.
_SLOW_SHOWS = 1 / 6


@dataclass
class Transfers:
    """When the link words of a layer move, beside its computing.

    filters : of CONV commands; loaded, stored : moved while the array computes; exposed : the rest
    tensors : of those that are exposed, words of activations, which may be codes
    reads : of the buffer for the array, one a cycle, not on the link: what is stored waits for them
    """

    filters: int = 0
    loaded: int = 0
    stored: int = 0
    exposed: int = 0
    tensors: int = 0
    reads: int = 0

    @property
    def words(self) -> int:
        """All words."""
        return self.filters + self.loaded + self.stored + self.exposed

    def share(self, part: int, whole: int) -> "Transfers":
        """A part of so many equal ones."""
        return Transfers(**{name: words * part // whole for name, words in vars(self).items()})

    def longer_than(self, computing: int) -> bool:
        """Whether the words cross the link, one a cycle, for longer than the layer computes."""
        return self.loaded + self.filters + self.exposed > computing

    def cycles(self, computing: int, rate: float = 1) -> int:
        """Cycles of a layer that computes for so many.

        The link seldom hides all of its work behind as much computing: what it moves beyond
        `_HIDDEN` of that time counts besides. `rate`: words a cycle, both ways together; at 1 one
        word moves each way.
        """
        moved = self.loaded + self.filters
        exposed = self.exposed
        if rate < 1:
            moved, exposed = ceil((moved + self.stored) / rate), ceil(exposed / rate)
        waits = max(0, min(moved, computing) - int(computing * _HIDDEN))
        if rate < 1:
            waits = max(waits, int(min(moved, computing) * _SLOW_SHOWS))
        read = self.stored + self.reads if self.stored else 0
        return max(computing, moved, read) + waits + exposed


@dataclass(frozen=True)
class LayerTraffic:
    """What the commands of a layer move.

    accesses : link words by type and direction, filters that are read on the chip in their place,
        and what LOAD and STORE move at the buffer
    transfers : when the link words move
    """

    accesses: Accesses = Accesses()
    transfers: Transfers = field(default_factory=Transfers)


class _Moved(NamedTuple):
    """Link words of a kind for a layer; `tensor` is the index of the one that is moved, or -1."""

    layer: int
    data: DataType
    direction: Direction
    hidden: bool
    tensor: int


class LinkCounter:
    """Counts the words that a program moves, layer by layer, while it is made."""

    def __init__(self, config: Config) -> None:
        self._per_word = LINK_WORD_BITS // config.array.data_width  # weights of a link word
        self._moved: defaultdict[tuple[Any, ...], int] = defaultdict(int)  # fields of `_Moved`
        self._on_chip: defaultdict[tuple[int, Access], int] = defaultdict(int)

    def count(
        self,
        layer: int,
        words: int,
        data: DataType,
        direction: Direction = Direction.READ,
        *,
        hidden: bool,
        tensor: int = -1,
    ) -> None:
        """Link words of a type move for a layer; `hidden`: while the array computes.

        READ brings them in. Of a host tensor, whose index is `tensor`, they are INPUT or OUTPUT.
        """
        self._moved[layer, data, direction, hidden, tensor] += words

    def stay(self, layer: int, words: int) -> None:
        """Filters that would be so many link words are read on the chip."""
        self._on_chip[layer, RESIDENT] += words * self._per_word

    def at_buffer(self, layer: int, access: Access, words: int) -> None:
        """LOAD writes or STORE reads so many activations of the buffer: `LOADED`, `STORED`,
        `FILLED`."""
        self._on_chip[layer, access] += words

    def traffic(self, outputs: Collection[int]) -> dict[int, LayerTraffic]:
        """What was counted, by layer; the program is complete.

        outputs : tensors that the host wants. Others that the accelerator both stores and loads
            are spills.
        """
        moved = [(_Moved(*kind), words) for kind, words in self._moved.items()]
        tensors = {
            way: {kind.tensor for kind, _ in moved if kind.direction is way and kind.tensor >= 0}
            for way in Direction
        }
        spilled = tensors[Direction.READ] & tensors[Direction.WRITE]
        spills = {
            (tensor, way)
            for way in Direction
            for tensor in spilled
            if way is Direction.READ or tensor not in outputs
        }
        words: defaultdict[int, defaultdict[Access, int]] = defaultdict(lambda: defaultdict(int))
        times: defaultdict[int, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        for kind, count in moved:
            data = DataType.SPILL if (kind.tensor, kind.direction) in spills else kind.data
            words[kind.layer][Access(Level.LINK, data, kind.direction)] += count
            times[kind.layer][_time(kind)] += count
        for (layer, access), count in self._on_chip.items():
            words[layer][access] += count
        return {
            layer: LayerTraffic(Accesses.of(found), Transfers(**times[layer]))
            for layer, found in words.items()
        }


def _time(kind: _Moved) -> str:
    """The field of `Transfers` that counts such words."""
    if kind.data is DataType.FILTER:
        return "filters"
    if not kind.hidden:
        return "exposed"
    return "stored" if kind.direction is Direction.WRITE else "loaded"
