"""Tallies, accesses and their sizes."""

import copy
import pickle

import pytest

from hw.arch.accesses import (
    Access,
    Accesses,
    DataType,
    Direction,
    Level,
    Tally,
    counted_accesses,
    glb_bytes,
    link_bytes,
    resident_bytes,
)
from hw.arch.config import Config
from hw.arch.counters import COUNTERS

READ, WRITE = Direction.READ, Direction.WRITE
PSUMS = Access(Level.BUFFER, DataType.PSUM, WRITE)
IFMAPS = Access(Level.BUFFER, DataType.IFMAP, READ)
RESIDENT = Access(Level.BUFFER, DataType.FILTER, READ)
COMMANDS = Access(Level.LINK, DataType.COMMAND, READ)


def test_tallies_add_up_key_by_key() -> None:
    first, second = Tally(("a", "b"), (1, 2)), Tally(("b", "c"), (10, 20))
    assert dict((first + second).items()) == {"a": 1, "b": 12, "c": 20}
    assert first + second == second + first
    assert (first + first)["b"] == (first * 2)["b"] == 4
    assert first + Tally() == Tally() + first == first
    assert Tally(("a", "b"), (7, 9)).share(2, 4) == Tally(("b", "a"), (4, 3))
    assert first["z"] == 0 and first.total == 3


def test_equal_tallies_have_equal_hashes() -> None:
    first, second = Tally(("a", "b", "z"), (1, 2, 0)), Tally(("b", "a"), (2, 1))
    assert first == second and hash(first) == hash(second)
    assert first != Tally(("a", "b"), (2, 1)) and first != 3


def test_tallies_do_not_change() -> None:
    tally = Tally(("a",), (1,))
    with pytest.raises(AttributeError, match="immutable"):
        tally.amounts = (2,)  # type: ignore[misc]
    with pytest.raises(ValueError, match="1 keys need as many amounts"):
        Tally(("a",), (1, 2))


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda tally: pickle.loads(pickle.dumps(tally))])
def test_accesses_are_copied_with_their_type(twin) -> None:
    accesses = Accesses.of({PSUMS: 3})
    assert twin(accesses) == accesses and type(twin(accesses)) is Accesses


def test_words_are_chosen_by_level_type_and_direction() -> None:
    accesses = Accesses.of({PSUMS: 1, IFMAPS: 2, COMMANDS: 4})
    assert accesses.words() == 7
    assert accesses.words(Level.BUFFER) == 3
    assert accesses.words(Level.BUFFER, direction=READ) == 2
    assert accesses.words(data=DataType.PSUM) == 1
    assert accesses.as_dict() == {
        "buffer": {"psum": {"write": 1}, "ifmap": {"read": 2}},
        "link": {"command": {"read": 4}},
    }


def test_bytes_follow_the_width_of_each_type() -> None:
    config = Config.of({"array.data_width": 16, "array.psum_width": 20, "noc.filter": 4})
    accesses = Accesses.of({PSUMS: 3, IFMAPS: 5, RESIDENT: 7, COMMANDS: 2})
    assert glb_bytes(config, accesses) == (3 * 20 + 5 * 16) // 8
    assert resident_bytes(config, accesses) == 14
    assert link_bytes(config, accesses) == 16


def test_a_counter_block_becomes_accesses() -> None:
    config = Config.of({"array.data_width": 16, "noc.filter": 4, "noc.ifmap": 2, "noc.psum_out": 8})
    counters = {name: 3 + place for place, name in enumerate(COUNTERS.offsets)}
    accesses = counted_accesses(config, counters)
    assert accesses[IFMAPS] == 2 * counters["glb_ifmap_words"]
    assert accesses[PSUMS] == 8 * counters["glb_psum_write_beats"]
    sent = Access(Level.NETWORK, DataType.FILTER, READ)
    assert accesses[sent] == 4 * counters["filter_words"]
    assert accesses.words(Level.MAC) == counters["macs"]
    assert accesses.words(Level.LINK) == counters["link_in_words"] + counters["link_out_words"]
