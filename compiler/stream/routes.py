"""Routes of a program's words: `Router`."""

from collections.abc import Collection, Iterator

import numpy as np

from hw.arch.config import Config
from hw.arch.program import Words
from hw.arch.program.routing import routed
from hw.arch.routes import MOST_ROUTED, Rectangle, RouteKind, route


class Router:
    """Puts routes before words; where there is a single cluster, words have none.

    Attributes
    ----------
    several : there are several clusters
    everyone : all clusters
    """

    def __init__(self, config: Config) -> None:
        self._columns = config.clusters.x
        self.several = config.clusters.several
        self.everyone = Rectangle((0, config.clusters.y), (0, config.clusters.x))

    def place(self, cluster: int) -> tuple[int, int]:
        """Row and column of a cluster."""
        return divmod(cluster, self._columns)

    def broadcast(self, words: Words, payload: int = 0) -> Words:
        """Words for every cluster; `payload`: words that follow these and are not among them."""
        return self.words(self.everyone, words, payload)

    def words(self, target: Rectangle, words: Words, payload: int = 0) -> Words:
        """Words for the clusters of a rectangle."""
        if not self.several or not (len(words) or payload):
            return words
        parts: list[Words] = []
        for first in range(0, len(words) + payload, MOST_ROUTED):
            size = min(len(words) + payload - first, MOST_ROUTED)
            parts += [_route(RouteKind.WORDS, target, size), words[first : first + size]]
        return np.concatenate(parts)

    def answered(self, target: Rectangle, words: Words) -> Words:
        """Words that each cluster of a rectangle answers with a block."""
        return self._headed(RouteKind.ANSWERED, target, words)

    def last(self, words: Words) -> Words:
        """The words that end the program."""
        return self._headed(RouteKind.LAST, self.everyone, words)

    def copied(self, source: int, words: Words) -> Words:
        """Words for all clusters but the source, whose next block follows them."""
        return routed(RouteKind.COPIED, self.everyone, words, self.place(source))

    def _headed(self, kind: RouteKind, target: Rectangle, words: Words) -> Words:
        return routed(kind, target, words) if self.several else words

    def rectangles(self, clusters: Collection[int]) -> Iterator[Rectangle]:
        """Rectangles that together have just these clusters: one if they form one."""
        places = sorted(self.place(cluster) for cluster in clusters)
        rows, columns = zip(*places, strict=True)
        whole = Rectangle((min(rows), max(rows) + 1), (min(columns), max(columns) + 1))
        if len(places) == (whole.rows[1] - whole.rows[0]) * (whole.columns[1] - whole.columns[0]):
            yield whole
            return
        start = 0
        for index, (y, x) in enumerate(places):
            if index + 1 == len(places) or places[index + 1] != (y, x + 1):
                yield Rectangle((y, y + 1), (places[start][1], x + 1))
                start = index + 1


def _route(kind: RouteKind, target: Rectangle, words: int) -> Words:
    return np.array([route(kind, target, words)], dtype=np.uint64)
