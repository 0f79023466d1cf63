"""What an access is, and counts of accesses: `Access`, `Accesses`.

The mapper's cost, the link traffic of a layer, the cycle model and the hardware counters all count
accesses in these words. A count is in words of the data type's own width (`sizes.access_bits`):
`array.data_width` bits for activations and weights, `array.psum_width` for psums, and 64 bits for
everything on the link and in the memory beside the buffer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hw.arch.accesses.tally import Tally


class Level(StrEnum):
    """Where words are accessed, from the innermost level outwards."""

    MAC = "mac"
    SPAD = "spad"
    NETWORK = "network"
    BUFFER = "buffer"  # the global buffer and the weight memory, which are on the chip
    MEMORY = "memory"  # the accelerator's own memory beside them
    LINK = "link"
    IDLE = "idle"  # no access: what every core cycle costs, whatever is done in it


class DataType(StrEnum):
    """What the words are.

    INPUT, OUTPUT and SPILL tell apart what crosses the link for a layer: tensors that come from the
    host, tensors that go to it, and tensors that go there only to come back. ANY stands for all of
    a stream where nobody tells its words apart.
    """

    IFMAP = "ifmap"
    FILTER = "filter"
    PSUM = "psum"
    HOP = "hop"  # psums that a PE takes from the one below
    OFMAP = "ofmap"
    COMMAND = "command"  # with row and column patterns, and headers of results
    TABLE = "table"  # parameters of channels and tables of the vector engine
    RESIDENT = "resident"  # filters on their way to the weight memory
    INPUT = "input"
    OUTPUT = "output"
    SPILL = "spill"
    ANY = "any"


class Direction(StrEnum):
    """Which way a word goes, seen from the array: a level is read to bring words nearer to it.

    At the MACs, WRITE counts products added to a psum. On a network, READ counts words taken from
    its source, each once however many PEs take it, and WRITE words delivered: ifmaps and filters to
    each PE, hops to the PE above, psums out of the array. At the buffer, LOAD writes ifmaps
    and STORE reads ofmaps. On the link, READ is the stream towards the accelerator, WRITE the
    stream of its results.
    """

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True)
class Access:
    """A kind of access: level, data type, direction."""

    level: Level
    data: DataType
    direction: Direction

    def __str__(self) -> str:
        return f"{self.level}.{self.data}.{self.direction}"


class Accesses(Tally[Access]):
    """Words by kind of access, immutable.

    Sums (`+`), multiples (`*`) and shares (`share`) count word by word.
    """

    __slots__ = ()

    @classmethod
    def of(cls, words: Mapping[Access, int]) -> "Accesses":
        """Accesses from words by kind."""
        return cls(tuple(words), words.values())

    def words(
        self,
        level: Level | None = None,
        data: DataType | None = None,
        direction: Direction | None = None,
    ) -> int:
        """Words of all kinds of access that have this level, data type and direction; None: any.

        Levels and types differ in width: `sizes` adds up bytes.
        """
        return sum(
            words
            for access, words in self.items()
            if level in (None, access.level)
            and data in (None, access.data)
            and direction in (None, access.direction)
        )

    def as_dict(self) -> dict[str, dict[str, dict[str, int]]]:
        """Words by names, {level: {data type: {direction: words}}}, without zeros."""
        found: dict[str, dict[str, dict[str, int]]] = {}
        for access, words in self.items():
            if words:
                types = found.setdefault(access.level.value, {})
                types.setdefault(access.data.value, {})[access.direction.value] = words
        return found
