"""Which filters the compiler keeps in the weight memory, and that commands find them there."""

import random
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.options import CompileOptions
from compiler.stream.loops import Loop, loop_records
from compiler.stream.resident import Filters, place_filters
from hw.arch.accesses import resident_bytes
from hw.arch.commands import BASES, LOOP, LOOPS
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from sim.replay import functional_link
from tests.campaigns.fuzz.cases import CASES, make_case
from tests.campaigns.fuzz.runner import _execute


def block(*words):
    return np.array(words, dtype=np.uint64)


def filters(counts, depends, blocks):
    return Filters(tuple(counts), tuple(depends), tuple(blocks))


def tail(of, bases):
    """Bases and loops of a command that streams the filters."""
    records, _ = loop_records([Loop(count=count) for count in of.counts])
    return [*BASES.pack(bases), *(word for record in records for word in record)]


def walk(words):
    """The weight address of every pass, as the sequencer steps through the nest."""
    bits = BASES.fields[[field.name for field in BASES.fields].index("weights")].width
    address = BASES.unpack(words[: BASES.words])["weights"]
    loops = [LOOP.unpack(words[BASES.words + i * LOOP.words :][: LOOP.words]) for i in range(LOOPS)]
    index = [0] * LOOPS
    while True:
        yield address
        for at in reversed(range(LOOPS)):
            if index[at] + 1 < loops[at]["count"]:
                index[at] += 1
                index[at + 1 :] = [0] * (LOOPS - at - 1)
                address = (address + loops[at]["weights"]) % (1 << bits)
                break
        else:
            return


@pytest.mark.parametrize("seed", range(12))
def test_every_pass_finds_its_block(seed):
    rng = random.Random(seed)
    counts = [rng.randint(2, 4) for _ in range(rng.randint(0, LOOPS))]
    depends = [rng.random() < 0.5 for _ in counts]
    number = int(np.prod([c for c, d in zip(counts, depends, strict=True) if d], initial=1))
    blocks = [block(*range(100 * n, 100 * n + rng.randint(1, 5))) for n in range(number)]
    of = filters(counts, depends, blocks)
    bases = {"ifmap": 5, "y": -3, "channel": 2}
    words = of.descriptor(tail(of, bases), 40)
    assert {**BASES.unpack(words[: BASES.words]), "weights": 0} == BASES.unpack(BASES.pack(bases))
    memory = np.concatenate([np.zeros(40, np.uint64), of.image])
    places = list(walk(words))
    assert len(places) == len(of.order) == int(np.prod(counts, initial=1))
    for place, index in zip(places, of.order, strict=True):
        wanted = blocks[index]
        np.testing.assert_array_equal(memory[place : place + len(wanted)], wanted)
    assert len(of.words) == of.length


def test_what_saves_most_goes_first():
    small = filters((), (), [block(1, 2)])
    large = filters((), (), [block(*range(6))])
    often = filters((5,), (False,), [block(7, 8, 9)])  # five passes with the same words
    config = Config.of({"buffer.weight_memory": 40})  # five words
    one = [{0: each} for each in (small, large, often, small)]
    placement = place_filters(config, one)
    assert dict(placement.first) == {2: 0, 0: 3, 3: 3}
    assert placement.memory.tolist() == [7, 8, 9, 1, 2]
    everything = place_filters(Config.of({"buffer.weight_memory": 88}), one)
    assert set(everything.first) == {0, 1, 2, 3}
    assert len(place_filters(Config(), one[:1]).memory) == 0


def test_clusters_have_filters_of_their_own_at_the_same_place():
    first, second, both = (filters((), (), [block(*words)]) for words in ((1, 2), (3,), (7, 8)))
    config = Config.of({"clusters.x": 2, "buffer.weight_memory": 32})  # four words each
    placement = place_filters(config, [{0: first, 1: second}, {0: both, 1: both}, {1: second}])
    # The second command saves two words of the link, for both clusters take them together.
    assert dict(placement.first) == {0: 0, 1: 2}
    assert placement.memory.reshape(2, -1).tolist() == [[1, 2, 7, 8], [3, 0, 7, 8]]


def test_random_programs_are_exact_with_filters_in_memory():
    rng = random.Random(7)
    seen = Counter()
    for number in range(40):
        case = make_case(11, rng.randrange(40) * CASES + number)
        config = case.config.with_values(
            {"buffer.weight_memory": rng.choice((128, 512, 2048, 8192, 1 << 18))}
        )
        case = replace(case, config=config)
        try:
            program = compile_graph(case.graph, config, CompileOptions(**case.options))
        except RowforgeError:
            seen["refused"] += 1
            continue
        _execute(case, program, "functional", partial(functional_link, program=program))
        resident = sum(resident_bytes(config, layer.accesses) for layer in program.layers)
        assert bool(resident) == bool(len(program.memory))
        assert 8 * len(program.memory) <= config.buffer.weight_memory
        seen["resident" if resident else "streamed"] += 1
    assert seen["resident"] >= 10 and seen["streamed"] >= 5
