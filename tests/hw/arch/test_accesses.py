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
    access_bits,
    counted_accesses,
    counter_block,
    glb_bytes,
    link_bytes,
    resident_bytes,
)
from hw.arch.config import OF_MICROCONTROLLER, Config
from hw.arch.counters import ACCESS_COUNTERS, COUNTERS
from hw.arch.errors import RowforgeError

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


def test_what_load_and_store_move_is_not_of_the_array() -> None:
    moved = {
        Access(Level.BUFFER, DataType.IFMAP, WRITE): 100,
        Access(Level.BUFFER, DataType.OFMAP, READ): 200,
        Access(Level.BUFFER, DataType.FILTER, WRITE): 400,
    }
    assert glb_bytes(Config(), Accesses.of(moved)) == 0
    assert resident_bytes(Config(), Accesses.of(moved)) == 0


def test_bytes_follow_the_width_of_each_type() -> None:
    config = Config.of({"array.data_width": 16, "array.psum_width": 20, "noc.filter": 4})
    accesses = Accesses.of({PSUMS: 3, IFMAPS: 5, RESIDENT: 7, COMMANDS: 2})
    assert glb_bytes(config, accesses) == (3 * 20 + 5 * 16) // 8
    assert resident_bytes(config, accesses) == 14
    assert link_bytes(config, accesses) == 16
    for level in (Level.SPAD, Level.NETWORK):
        assert access_bits(config, Access(level, DataType.PSUM, WRITE)) == 20
        assert access_bits(config, Access(level, DataType.HOP, WRITE)) == 20
        assert access_bits(config, Access(level, DataType.FILTER, WRITE)) == 16


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


# For every access, the counters that it is the sum of, with the words that each of them stands for;
# those after a minus are taken away. Four 16-bit words in a link word, eight lanes, two MACs.
COUNTED = {
    "mac.psum.write": {"macs": 1},
    "spad.ifmap.read": {"ifmap_spad_reads": 1},
    "spad.ifmap.write": {"ifmap_spad_writes": 1},
    "spad.filter.read": {"filter_spad_reads": 4},
    "spad.filter.write": {"filter_spad_writes": 4},
    "spad.psum.read": {"psum_spad_reads": 2},
    "spad.psum.write": {"psum_spad_writes": 2},
    "network.ifmap.read": {"ifmap_words_sent": 1},
    "network.ifmap.write": {"ifmap_spad_writes": 1},
    "network.filter.read": {"filter_words": 4},
    "network.filter.write": {"filter_spad_writes": 4},
    "network.psum.read": {"psums_fed": 2},
    "network.psum.write": {"psums_collected": 2},
    "network.hop.write": {"psum_hops": 2},
    "buffer.ifmap.read": {"glb_ifmap_words": 2, "glb_vector_reads": 8},
    "buffer.ifmap.write": {"glb_load_writes": 8},
    "buffer.psum.read": {"glb_psum_read_beats": 8},
    "buffer.psum.write": {"glb_psum_write_beats": 8},
    "buffer.ofmap.read": {"glb_store_reads": 8},
    "buffer.ofmap.write": {"glb_act_write_lanes": 1},
    "buffer.filter.read": {"filter_words_resident": 4, "glb_filter_reads": 8},
    "buffer.filter.write": {"link_memory_words": 4},
    "link.command.read": {
        "link_in_words": 1,
        "link_table_words": -1,
        "link_filter_words": -1,
        "link_memory_words": -1,
        "link_load_words": -1,
    },
    "link.table.read": {"link_table_words": 1},
    "link.filter.read": {"link_filter_words": 1},
    "link.resident.read": {"link_memory_words": 1},
    "link.input.read": {"link_load_words": 1},
    "link.command.write": {"link_out_words": 1, "link_store_words": -1},
    "link.output.write": {"link_store_words": 1},
}


def test_the_counters_of_accesses_become_every_kind_of_access() -> None:
    config = Config.of(
        {
            "array.data_width": 16,
            "noc.filter": 4,
            "noc.ifmap": 2,
            "noc.psum_out": 8,
            "pe.macs": 2,
            "buffer.width": 128,
            "control.access_counters": True,
        }
    )
    names = [field.name for field in counter_block(config).fields]
    counters = {name: 3**place for place, name in enumerate(names)}
    accesses = counted_accesses(config, counters)
    assert {str(access): words for access, words in accesses.items()} == {
        access: sum(counters[name] * each for name, each in sums.items())
        for access, sums in COUNTED.items()
    }
    without = {name for name in names if not any(name in sums for sums in COUNTED.values())}
    time = {"cycles", "passes", "pe_active_cycles", "gated_macs", "glb_act_write_words"}
    assert without - time == {name for name in names if name.startswith("stall_")}
    assert time <= without


def test_the_block_has_the_counters_of_accesses_if_the_configuration_does() -> None:
    counting = Config.of({"control.access_counters": True})
    assert counter_block(Config()) == COUNTERS
    assert counter_block(counting).fields == (*COUNTERS.fields, *ACCESS_COUNTERS)
    with pytest.raises(RowforgeError, match="control.access_counters must be false"):
        Config.of(
            {
                **OF_MICROCONTROLLER,
                "control.kind": "microcontroller",
                "control.access_counters": True,
            }
        )
