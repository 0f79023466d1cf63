"""The walk of LOAD and STORE over a box of buffer words."""

from amaranth.hdl import Module, Mux, Signal, Value

from hw.arch.commands import ADDRESS
from hw.control.nest import nest


def walk_box(m: Module, region, step: Value) -> tuple[Signal, Signal]:
    """(the word is the box's last, its address), word by word, row by row, plane by plane.

    `region` is a view of REGION, constant during the walk; `step` goes to the next word. Addresses
    only add strides.
    """
    loops = nest(m, step, {"plane": region.planes, "row": region.rows, "word": region.run})
    offsets = {name: Signal(ADDRESS, name=f"{name}_offset") for name in ("plane", "row", "word")}
    strides = {"word": 1, "row": region.row_stride, "plane": region.plane_stride}
    inside = []
    for name in ("word", "row", "plane"):
        inside.append(name)
        there = Signal(ADDRESS, name=f"{name}_there")
        m.d.comb += there.eq(Mux(loops["plane"].ends, 0, offsets[name] + strides[name]))
        with m.If(loops[name].steps):
            m.d.sync += [offsets[each].eq(there) for each in inside]
    address = Signal(ADDRESS)
    m.d.comb += address.eq(region.address + offsets["word"])
    return loops["plane"].ends, address
