"""The walk of LOAD and STORE over a box of buffer words."""

from dataclasses import dataclass

from amaranth.hdl import Module, Signal, Value

from hw.arch.commands import ADDRESS
from hw.engines.nest import nest


@dataclass(frozen=True)
class BoxWalk:
    """Where a walk is.

    `address`: of the word; `last`: it is the box's last; `turns`: the step leaves a plane.
    """

    address: Signal
    last: Signal
    turns: Signal


def walk_box(m: Module, region, *, start: Value, origin: Value, step: Value) -> BoxWalk:
    """Walks over a box word by word, row by row, plane by plane.

    `start` begins at the address `origin`; `region` is a view of REGION, constant during the walk;
    `step` goes to the next word. Addresses are registers and only add strides.
    """
    loops = nest(m, step, {"plane": region.planes, "row": region.rows, "word": region.run})
    places = {name: Signal(ADDRESS, name=f"{name}_place") for name in ("plane", "row", "word")}
    strides = {"word": 1, "row": region.row_stride, "plane": region.plane_stride}
    inside = []
    for name in ("word", "row", "plane"):
        inside.append(name)
        there = Signal(ADDRESS, name=f"{name}_there")
        m.d.comb += there.eq(places[name] + strides[name])
        with m.If(loops[name].steps):
            # Of loops that step together the outermost has the last word: it is assigned last.
            m.d.sync += [places[each].eq(there) for each in inside]
    with m.If(start):
        m.d.sync += [place.eq(origin) for place in places.values()]
    plane = loops["plane"]
    return BoxWalk(places["word"], plane.ends, plane.steps)
