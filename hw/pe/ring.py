"""What the ifmap scratchpads share: positions in a ring, and words of beats one by one."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data

from hw.arch.config import Config


def ring_position(depth: int) -> data.StructLayout:
    """A place in a ring of so many words, with a bit that changes from lap to lap."""
    return data.StructLayout({"index": range(max(depth, 2)), "lap": 1})


def after(position: data.View, depth: int, step: ValueLike = 1) -> Value:
    """The next position if `step`, else the same. A ring of one word laps with every word."""
    index = position.index
    if depth == 1 << len(index):
        return (position.as_value() + step)[: len(position.as_value())]
    wraps = (index == depth - 1) & step
    return Cat(Mux(wraps, 0, index + step)[: len(index)], position.lap ^ wraps)


def first_word(m: Module, config: Config, beat: data.View, taken: Signal) -> tuple[Value, Value]:
    """The word of an `IfmapBeat` whose turn it is, and whether it is the last one.

    taken : that word is taken, the next one follows
    """
    if config.noc.ifmap == 1:
        return beat.words[0], Cat(1)
    turn = Signal(range(config.noc.ifmap))
    last = turn == beat.more
    with m.If(taken):
        m.d.sync += turn.eq(Mux(last, 0, turn + 1))
    return beat.words[turn], last
