"""Tensors that live at the same time lie apart, and ranges are used again."""

import random

from hw.arch.images.placing import Lifetime, place


def test_what_lives_at_the_same_time_lies_apart():
    rng = random.Random(1)
    for _ in range(200):
        lifetimes = []
        for _ in range(rng.randrange(12)):
            first = rng.randrange(20)
            lifetimes.append(Lifetime(rng.randrange(1, 50), first, first + rng.randrange(8)))
        starts, total = place(lifetimes)
        used = set()
        for start, life in zip(starts, lifetimes, strict=True):
            assert 0 <= start <= start + life.words <= total
            for step in range(life.first, life.last + 1):
                words = {(step, start + i) for i in range(life.words)}
                assert not words & used
                used |= words
        assert total <= sum(life.words for life in lifetimes)


def test_a_range_is_used_again_after_its_tensor():
    starts, total = place([Lifetime(10, 0, 2), Lifetime(4, 1, 5), Lifetime(9, 3, 4)])
    assert (starts, total) == ([0, 10, 0], 14)
    assert place([]) == ([], 0)
