"""The trace of the exact model: its slices are in order, and their sums are its counters."""

from itertools import islice

import numpy as np
import pytest

from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from sim.cycles import predict
from sim.cycles.trace import LEVELS, SLICE, Touching, Track, trace
from tests.campaigns.traces import compare as traces
from tests.sim.test_cycles import SMALL, fuzz_programs, layer_program

# of a trace, and of the counters: what must be equal for every layer
COUNTED = {
    Track.LINK_IN: "link_in_words",
    Track.LINK_OUT: "link_out_words",
    **traces.COUNTED,
}


def amounts(found, track, layer=None):
    rows = found.of(track)
    if layer is not None:
        rows = rows[rows[:, SLICE.index("layer")] == layer]
    return int(rows[:, SLICE.index("amount")].sum())


def check_slices(found):
    for track in Track:
        rows = found.of(track)
        begin, end = rows[:, SLICE.index("begin")], rows[:, SLICE.index("end")]
        assert (end > begin).all(), track
        assert (begin[1:] >= end[:-1]).all(), track
        assert not len(end) or end[-1] <= found.cycles, track
        if track in LEVELS:
            assert begin[0] == 0 and end[-1] == found.cycles and (begin[1:] == end[:-1]).all()


def test_sums_are_the_counters_and_slices_are_disjoint():
    """Of random programs that query counters after every layer, in which nothing overlaps."""
    seen = 0
    for program in islice(fuzz_programs(range(30, 40), 3), 12):
        found, counted = trace(program), predict(program, skip=False)
        if not counted.layers:  # the host computes everything
            continue
        assert found.cycles == counted.cycles
        check_slices(found)
        sums = {
            name: sum(
                {**counted.accesses[layer], **counters}[name]
                for layer, counters in counted.layers.items()
            )
            for name in COUNTED.values()
        }
        # BEGIN clears the counters, and END and its answer come after the last of them
        sums["link_in_words"] += 1
        sums["link_out_words"] += 2
        assert {name: amounts(found, track) for track, name in COUNTED.items()} == sums
        for layer, counters in counted.layers.items():
            for track in (Track.PASSES, Track.PES, Track.FILTERS, Track.PSUMS_OUT):
                assert amounts(found, track, layer) == counters[COUNTED[track]]
            running = found.running.get(layer, np.zeros(1, np.int64))
            assert running.sum() == counters["pe_active_cycles"]
        seen += len(counted.layers)
    assert seen > 8


@pytest.fixture(scope="module", name="program")
def layer() -> Program:
    return layer_program("pw3", SMALL)


@pytest.mark.parametrize("most", [400, 60, 1])
def test_a_long_trace_is_told_by_passes_commands_or_layers(program, most):
    whole, short = trace(program), trace(program, most=most)
    assert len(short.slices) < len(whole.slices)
    assert len(short.slices) <= max(most, len(Track) * 2) + len(Track)
    check_slices(short)
    for track in Track:
        assert amounts(short, track) == amounts(whole, track), track
    assert short.slices[:, SLICE.index("merged")].sum() == len(whole.slices)


def test_touched_words_lie_in_the_buffer_and_hold_the_result(program):
    found = trace(program)
    kinds = {Touching(kind) for kind in found.touches[:, 1].tolist()}
    assert kinds >= {Touching.LOADED, Touching.READ, Touching.WRITTEN, Touching.STORED}
    words = SMALL.buffer.banks * SMALL.buffer.depth
    low, high = found.touches[:, 5], found.touches[:, 6]
    assert (low >= 0).all() and (high >= low).all() and (high < words).all()
    places = {kind: (row[5], row[6]) for row in found.touches.tolist() for kind in [row[1]]}
    stored, written = places[Touching.STORED], places[Touching.WRITTEN]
    assert written[0] <= stored[0] and stored[1] <= written[1]


def test_a_density_is_for_skipping_pes(program):
    with pytest.raises(RowforgeError, match="skipping"):
        trace(program, density=0.5)
