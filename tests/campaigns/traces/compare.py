"""A program's trace from the RTL, its counters, and the exact model's trace: `differences`."""

from collections.abc import Iterator

from hw.arch.program import Program
from rowforge.tracing.events import UNITS, by_layer, totals
from rowforge.tracing.rtl import observed
from sim.cycles.trace import SLICE, Trace, Track, trace
from sim.masks import core_masks
from sw_driver.arrays import Arrays

COUNTED = {
    Track.LOAD: "glb_load_writes",
    Track.STORE: "glb_store_reads",
    Track.PASSES: "passes",
    Track.FILTERS: "filter_words",
    Track.IFMAPS: "ifmap_words_sent",
    Track.PSUMS_IN: "glb_psum_read_beats",
    Track.PSUMS_OUT: "glb_psum_write_beats",
    Track.PES: "macs",
    Track.POST: "glb_act_write_words",
    Track.VECTOR: "glb_vector_reads",
    Track.ACTIVE_PES: "pe_active_cycles",
}
"""What a trace and the counters of a layer both know; some only with `control.access_counters`."""

OBSERVED = tuple(track for track in Track if track != Track.COLUMN_FIFOS)
"""Tracks of a trace of the RTL."""


def differences(program: Program, inputs: Arrays, *, optimise: str = "-O2") -> Iterator[str]:
    """What is not equal in a run of a program that asks for counters, a sentence each.

    Sums of the RTL's trace by layer with the counters of the same run, its slices with those of the
    exact model, and the cycles of both.
    """
    found, outcome = observed(program, inputs, optimise=optimise)
    assert found is not None
    counted = 0
    for layer, counters in outcome.counters.items():
        for track, name in COUNTED.items():
            if name in counters and layer >= 0:
                counted += 1
                amount = by_layer(found, track).get(layer, 0)
                if amount != counters[name]:
                    yield f"layer {layer}, {name}: {amount} by the trace, not {counters[name]}"
    if not counted:
        yield "no counter was compared"
    model = trace(program, values=outcome.tensors, masks=core_masks(program, inputs))
    if found.cycles != model.cycles:
        yield f"{found.cycles} cycles, {model.cycles} by the model"
    sums, expected = totals(found), totals(model)
    for track, (name, _) in UNITS.items():
        if name in expected and sums[name] != expected[name]:
            yield f"{name}: {sums[name]} in all, {expected[name]} by the model"
        if track in OBSERVED and (said := first_difference(found, model, track)):
            yield f"{name}: {said}"


def first_difference(found: Trace, model: Trace, track: Track) -> str:
    """The first slice of a track that is not the model's; nothing if all are."""
    pairs = zip(found.of(track).tolist(), model.of(track).tolist(), strict=False)
    for one, other in pairs:
        if one != other:
            columns = [name for name, a, b in zip(SLICE, one, other, strict=True) if a != b]
            return f"slice {one}, {other} by the model, in {', '.join(columns)}"
    sizes = len(found.of(track)), len(model.of(track))
    return "" if sizes[0] == sizes[1] else f"{sizes[0]} slices, {sizes[1]} by the model"
