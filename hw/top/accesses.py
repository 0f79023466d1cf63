"""What the counters of accesses count."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, ValueLike
from amaranth.lib import stream

from hw.arch.config import Config
from hw.top.parts import EngineParts


def access_events(m: Module, config: Config, control: Any, p: EngineParts) -> dict[str, ValueLike]:
    """What those of `ACCESS_COUNTERS` count that are not the PEs'.

    control : the decoder's port
    """
    writes, sent = p.post.writes, p.ifmaps.beats
    operands = sent.payload.payload.more + 1 if config.noc.ifmap > 1 else 1
    heading = Signal()  # the next word of the data block is its header
    with m.If(control.store):
        m.d.sync += heading.eq(1)
    with m.Elif(fires(control.block)):
        m.d.sync += heading.eq(0)
    return {
        "ifmap_words_sent": Mux(fires(sent), operands, 0),
        "filter_words_resident": fires(p.filters.words) & p.filters.resident,
        "glb_filter_reads": (
            fires(p.filter_reader.port.request) if p.filter_reader is not None else 0
        ),
        "glb_act_write_lanes": Mux(fires(writes), sum(writes.payload.mask), 0),
        "glb_vector_reads": p.vector.responses.valid,
        "glb_load_writes": fires(p.loader.write),
        "glb_store_reads": fires(p.storer.port.request),
        "link_table_words": control.table_word,
        "link_filter_words": fires(control.filters),
        "link_memory_words": control.memory.en,
        "link_load_words": fires(control.load_words),
        "link_store_words": fires(control.block) & ~heading,
    }


def fires(port: stream.Interface) -> Value:
    """A word passes on a stream in this cycle."""
    return port.valid & port.ready
