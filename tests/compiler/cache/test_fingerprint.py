"""Two values have one digest only if they are the same."""

from dataclasses import dataclass, field
from enum import Enum
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from compiler.cache.fingerprint import fingerprint
from hw.arch.config import Config
from tests.compiler.support import conv_graph


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Sized:
    width: int
    height: int = 1
    area: int = field(init=False, default=0)


@dataclass
class Measured:
    width: int
    height: int = 1


EACH_OTHER: list[Any] = [
    *(None, False, True, 0, 1, 1.0, -0.0, 0.0, "", "1", "None", (), ("",), (("",),), ("", "")),
    *((1, 2), (1, (2,)), ((1,), 2), (12,), "12", {}, {"a": 1}, {"a": (1,)}, {1: "a"}, ("a", 1)),
    *(Colour.RED, Colour.BLUE, "red", Sized(2), Sized(2, 2), Sized(1, 2), Measured(2)),
    *(np.int8(1), np.int16(1), np.zeros(2), np.zeros(3), np.zeros((1, 3)), np.zeros((3, 1))),
    *(np.zeros(3, dtype=np.int64), np.ones(3), np.array([0.0, 0.0, 1.0])),
    *(Config(), Config.of({"array.rows": 5})),
]


def test_different_values_have_different_digests() -> None:
    digests = [fingerprint(value) for value in EACH_OTHER]
    same = [
        (one, other)
        for (one, first), (other, second) in combinations(zip(EACH_OTHER, digests, strict=True), 2)
        if first == second
    ]
    assert not same


def test_values_are_parted() -> None:
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert fingerprint(1, 2) != fingerprint((1, 2)) == fingerprint([1, 2])


def test_equal_values_have_one_digest() -> None:
    whole = np.arange(24).reshape(4, 6)
    assert fingerprint(whole[:, ::2]) == fingerprint(np.ascontiguousarray(whole[:, ::2]))
    sized = Sized(2)
    sized.area = 2  # follows from the others
    assert fingerprint(sized) == fingerprint(Sized(2))


def test_a_zero_seen_many_times_is_read_once() -> None:
    """Else the weights of a shape list would take their memory after all."""
    shape = (1 << 20, 1 << 20)
    nothing, ones = (np.broadcast_to(np.full(1, value), shape) for value in (0, 1))
    assert fingerprint(nothing) == fingerprint(np.broadcast_to(np.zeros(1, dtype=int), shape))
    assert fingerprint(nothing) != fingerprint(ones)


def test_every_part_of_a_graph_counts() -> None:
    def digest(seed: int, **changes: Any) -> str:
        return fingerprint(conv_graph(np.random.default_rng(seed), (6, 6, 8), 8, (3, 3), **changes))

    digests = [digest(1), digest(2), digest(1, stride=(2, 2)), digest(1, pad=(1, 1, 1, 1))]
    assert len(set(digests)) == len(digests)
    assert digest(1) == digests[0]


def test_a_value_of_an_unknown_type_has_none() -> None:
    with pytest.raises(TypeError, match="no digest of a function"):
        fingerprint((1, fingerprint))
