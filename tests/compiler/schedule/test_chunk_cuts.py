"""Chunks that are cut by items, and tiles that compute a row more than they store."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.nest.locate import locate
from compiler.schedule import chunks, scheduler
from compiler.schedule.chunk_pipeline import ChunkPipeline
from compiler.schedule.space import Space
from hw.arch.accesses import DataType, Level
from hw.arch.config import Config
from hw.arch.program import Store
from tests.compiler.support import check_graph, conv_graph

SMALL = {"buffer.banks": 10, "buffer.depth": 64, "pe.psum_spad": 16}
WIDE = {**SMALL, "array.data_width": 16, "array.psum_width": 32, "noc.filter": 4, "noc.ifmap": 1}
CASES = {
    "8 bits": (Config.of({**SMALL, "array.cols": 7}), (7, 6, 32), 16, 4, {"pad": (1, 1, 1, 1)}),
    "16 bits": (Config.of({**WIDE, "array.cols": 6}), (7, 6, 24), 12, 2, {}),
    "passes": (Config.of({**SMALL, "array.rows": 3}), (7, 5, 24), 8, 6, {"pad": (1, 1, 1, 1)}),
}


def graph(name):
    config, image, filters, batch, more = CASES[name]
    dtype = "int16" if config.array.data_width == 16 else "int8"
    rng = np.random.default_rng(3)
    return conv_graph(rng, image, filters, (3, 3), batch=batch, dtype=dtype, **more)


def forced(monkeypatch, wanted):
    """Schedules by chunks come first, those that are wanted."""
    taken = []

    def kept_chunks(space, operation, goal):
        found = (
            chunks._weighed(space, operation, schedule, goal)
            for schedule in chunks._schedules(space, operation)
        )
        taken.extend(islice((each for each in found if each and wanted(each)), 1))
        return taken[-1]

    monkeypatch.setattr(scheduler, "kept_chunks", kept_chunks)
    monkeypatch.setattr(scheduler.Scheduler, "_whole", lambda *_: False)
    monkeypatch.setattr(scheduler.Scheduler, "_bands", lambda *_: None)
    monkeypatch.setattr(scheduler, "kept_tiling", lambda *_: None)
    return taken


def stored_once(program):
    """Every output is stored exactly once, and nothing else is."""
    (index,) = program.outputs
    seen = np.zeros(program.tensors[index].view, dtype=int)
    for step in program.steps:
        if isinstance(step, Store):
            box = step.box
            spans = (box.items, box.rows, box.columns, box.channels)
            assert all(last <= size for (_, last), size in zip(spans, seen.shape, strict=True))
            seen[np.ix_(*(range(*span) for span in spans))] += 1
    return (seen == 1).all()


def most_cuts(config, plans, part, room):
    """As many parts as there can be."""
    items = plans[0][0].shape.N
    blocks = [(plan.shape, block) for plan, _ in plans for block in plan.blocks]
    for cuts in range(items, 1, -1):
        fits = items % cuts == 0 and (cuts + 1) * (part // cuts) <= room
        if fits and all(chunks.can_be_cut(config, *each, cuts) for each in blocks):
            return cuts
    return None


@pytest.mark.parametrize("name", CASES)
def test_cut_chunks_give_the_same_tensors_with_the_same_filters(monkeypatch, name):
    config = CASES[name][0]
    monkeypatch.setattr(chunks, "_cuts", most_cuts)
    space = Space(config)

    def wanted(each):
        """Cut, though it would fit whole."""
        words = 2 * each.cuts * each.ifmap_words + each.result_words
        return each.cuts > 1 and each.areas == 1 and words <= space.limit(each.groups)

    taken = forced(monkeypatch, wanted)
    check_graph(graph(name), config, np.random.default_rng(1))
    cut = compile_graph(graph(name), config)
    assert stored_once(cut)
    found = taken[0]
    words = found.cuts * found.ifmap_words
    whole = replace(found, cuts=1, buffers=2, ifmap_words=words)
    monkeypatch.setattr(scheduler, "kept_chunks", lambda *_: whole)
    assert filters_sent(cut) <= filters_sent(compile_graph(graph(name), config))


def filters_sent(program):
    return program.layers[0].accesses.words(Level.LINK, DataType.FILTER)


@pytest.mark.parametrize("name", CASES)
def test_a_row_more_is_computed_and_not_stored(monkeypatch, name):
    config = CASES[name][0]
    taken = forced(monkeypatch, lambda each: each.even)
    check_graph(graph(name), config, np.random.default_rng(2))
    program = compile_graph(graph(name), config)
    assert taken and stored_once(program)
    rows = CASES[name][1][0] - 2 * (not CASES[name][4])
    (places,) = [locate(config, program.layers[0], (0, rows - 1, 0, 0))]
    assert places[-1].finished


def test_a_part_that_would_be_overwritten_is_an_error(monkeypatch):
    config = CASES["8 bits"][0]
    monkeypatch.setattr(chunks, "_cuts", most_cuts)
    forced(monkeypatch, lambda each: each.cuts > 1 and each.areas == 1)

    def prefetch(self, part, index, count, last):
        if self.loaded < len(self.boxes):
            self.loaded += 1

    monkeypatch.setattr(ChunkPipeline, "_prefetch", prefetch)
    with pytest.raises(AssertionError, match="is read with"):
        compile_graph(graph("8 bits"), config)
