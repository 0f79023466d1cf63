"""Where the words of a program go in an accelerator of several clusters.

Each cluster executes the command stream of `hw.arch.commands`. A program for several clusters has a
*route* before every stretch of words: it says which clusters take them, and what the clusters
answer. Only BEGIN has none; every cluster takes it.
"""

from dataclasses import dataclass
from enum import IntEnum

from hw.arch.commands import HEADER, checksum
from hw.arch.fields import Field, Struct

COORDINATE = 4  # bits of a cluster's number along an axis


class RouteKind(IntEnum):
    """What is said of the words that follow a route."""

    WORDS = 0  # the clusters take them
    ANSWERED = 1  # and each of these answers with one block, in the order of their numbers
    COPIED = 2  # after them the clusters but the source take the words of the source's next block
    LAST = 3  # they end the program: all clusters answer with a status block


ROUTE = Struct(
    "route",
    (
        Field("kind", 2, "what is said of the words (`RouteKind`)"),
        Field("first_y", COORDINATE, "first row of clusters that take them"),
        Field("first_x", COORDINATE, "first column of clusters"),
        Field("last_y", COORDINATE, "last row of clusters"),
        Field("last_x", COORDINATE, "last column of clusters"),
        Field("source_y", COORDINATE, "COPIED: row of the cluster whose block goes to the others"),
        Field("source_x", COORDINATE, "COPIED: its column"),
        Field("words", 22, "words of the stream that follow"),
        Field("checksum", 16, "folded sum of the route with 0 here, as in a command's header"),
    ),
    "The word before words for clusters.",
)

MOST_ROUTED = ROUTE.fields[-2].high
"""Words that one route can announce."""


@dataclass(frozen=True, order=True)
class Rectangle:
    """Neighbouring clusters: half-open ranges of rows and columns."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    @classmethod
    def single(cls, y: int, x: int) -> "Rectangle":
        """One cluster."""
        return cls((y, y + 1), (x, x + 1))

    def __contains__(self, place: tuple[int, int]) -> bool:
        y, x = place
        return self.rows[0] <= y < self.rows[1] and self.columns[0] <= x < self.columns[1]


def route(kind: RouteKind, target: Rectangle, words: int, source: tuple[int, int] = (0, 0)) -> int:
    """The route of so many words; ValueError from `Struct.pack` for what does not fit."""
    fields = {
        "kind": kind,
        "first_y": target.rows[0],
        "first_x": target.columns[0],
        "last_y": target.rows[1] - 1,
        "last_x": target.columns[1] - 1,
        "source_y": source[0],
        "source_x": source[1],
        "words": words,
    }
    (word,) = ROUTE.pack(fields)
    return word | checksum(word, ()) << ROUTE.offsets["checksum"]


assert ROUTE.offsets["checksum"] == HEADER.offsets["checksum"]
