"""Words of a program behind their route: `routed`."""

import numpy as np
from numpy.typing import NDArray

from hw.arch.routes import Rectangle, RouteKind, route


def routed(
    kind: RouteKind,
    target: Rectangle,
    words: NDArray[np.uint64],
    source: tuple[int, int] = (0, 0),
) -> NDArray[np.uint64]:
    """A route and these words, all that it announces; ValueError for more than it can."""
    head = np.array([route(kind, target, len(words), source)], dtype=np.uint64)
    return np.concatenate([head, words])
