"""Channels removed from a graph before it is compiled: `without_idle_channels`.

A filter whose weights all equal their zero point gives a channel of one value, which follows from
bias and output stage. Such a channel is not computed, stored, or read: what it adds to the sums of
the layers that read it is part of their biases. A channel that no filter reads goes likewise.
"""

from compiler.ir.graph import Graph
from compiler.removal.kept import Kept
from compiler.removal.known import known_channels
from compiler.removal.rewrite import Pruned, rewrite


def without_idle_channels(
    graph: Graph,
    *,
    lanes: int,
    psum_width: int | None = None,
    keep_all: bool = False,
) -> Pruned:
    """The graph without channels that are constant or that nobody reads.

    Every tensor that stays under its own key holds the same values as before, for every input.

    Parameters
    ----------
    graph : Graph
    lanes : channels of a word of the buffer. A tensor loses whole words: channels that would only
        leave lanes of a word empty are moved all the same, and odd numbers of channels map badly
    psum_width : bits to which psums wrap, None where they provably do not
    keep_all : every operator's output must be there for the host
    """
    known = known_channels(graph, psum_width)
    kept = Kept(graph, known, lanes=lanes, psum_width=psum_width, keep_all=keep_all)
    if all(flags.all() for flags in kept.flags.values()):
        return Pruned(graph)
    return rewrite(graph, known, kept)
