"""What the descriptor of a CONV holds, and what it leaves out."""

import numpy as np
import pytest

from compiler.stream.conv import Nest
from compiler.stream.loops import Loop, loop_records
from hw.arch.commands import BASES, CONSTANTS, LOOP, LOOPS, START
from sim.functional.nest import decode_convolution


def nest(loops: list[Loop], *, output: int = 5, **constants: int) -> Nest:
    records, _ = loop_records(loops)
    tail = BASES.pack({"output": output, "rows": 2})
    packed = np.array(CONSTANTS.pack({"psums": 3, **constants}), dtype=np.uint64)
    return Nest(packed, [*tail, *(word for record in records for word in record)])


@pytest.mark.parametrize("count", range(LOOPS + 1))
def test_only_loops_with_several_iterations_are_given(count: int) -> None:
    loops = [Loop(count=2 + i, steps={"output": 10 * i + 1}) for i in range(count)]
    words = nest(loops).descriptor(None)
    assert len(words) == START.words + CONSTANTS.words + count * LOOP.words
    decoded = decode_convolution(words)
    assert [loop["count"] for loop in decoded.loops] == [1] * (LOOPS - count) + [
        2 + i for i in range(count)
    ]
    assert (decoded.bases["output"], decoded.constants["psums"]) == (5, 3)


def test_a_loop_of_one_iteration_inside_another_one_is_given() -> None:
    loops = [Loop(count=4), Loop(count=1), Loop(count=2)]
    decoded = decode_convolution(nest(loops).descriptor(None))
    assert [loop["count"] for loop in decoded.loops[-3:]] == [4, 1, 2]


def test_what_stays_is_left_out() -> None:
    loops = [Loop(count=4, steps={"output": 3})]
    first, moved = nest(loops), nest(loops, output=9)
    words = moved.descriptor(first)
    assert len(words) == START.words
    before = decode_convolution(first.descriptor(None))
    decoded = decode_convolution(words, before)
    assert decoded == decode_convolution(moved.descriptor(None))
    for other in (nest([Loop(count=5, steps={"output": 3})]), nest(loops, psums=4)):
        assert len(other.descriptor(first)) > START.words
    assert len(moved.descriptor(first.flagged("sync"))) > START.words
