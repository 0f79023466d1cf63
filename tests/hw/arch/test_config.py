"""Configurations: limits, combinations, TOML, hash, differences."""

from pathlib import Path

import pytest

from hw.arch.commands import ADDRESS
from hw.arch.config import OF_MICROCONTROLLER, Config, PeConfig, PostConfig
from hw.arch.config.file import config_hash, differences, parse_toml, read_config, render_toml
from hw.arch.config.identity import identity_words, parse_identity
from hw.arch.config.moved import MOVED
from hw.arch.errors import RowforgeError

PRESETS = sorted((Path(__file__).parents[3] / "rowforge" / "presets").glob("*.toml"))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_presets_are_valid_and_survive_rendering(path):
    config = read_config(path)
    assert parse_toml(render_toml(config)) == config


@pytest.mark.parametrize(
    "change, words",
    [
        ({"array.rows": 0}, "array.rows must be 1 to 32, not 0"),
        ({"array.rows": "4"}, "array.rows must be a whole number, not '4'"),
        ({"array.rows": True}, "array.rows must be a whole number, not True"),
        ({"pe.zero_gating": 1}, "pe.zero_gating must be true or false, not 1"),
        ({"array.data_width": 12}, "array.data_width must be one of 8, 16, not 12"),
        ({"noc.filter": 8, "array.data_width": 16}, "noc.filter must be at most 4"),
        ({"noc.filter": 1, "pe.macs": 2}, "noc.filter must be at least pe.macs"),
        ({"pe.filter_spad": 15}, "pe.filter_spad must be at least 16"),
        ({"pe.psum_spad": 5, "pe.macs": 2}, "pe.psum_spad must be even.* 6 works"),
        ({"noc.ifmap": 8, "buffer.width": 32}, "noc.ifmap must be at most 4"),
        ({"post.units": 8, "buffer.width": 32}, "post.units must be at most 4"),
        ({"post.units": 8}, "post.units must be at most 4 .psums"),
        (
            {"buffer.width": 32, "array.psum_width": 40},
            "buffer.width must be at least array.psum_width",
        ),
        ({"buffer.act_banks": 9}, "buffer.act_banks must be at most buffer.banks"),
        ({"buffer.psum_banks": 2}, "buffer.banks must give psums at least 4 banks"),
        ({"buffer.filter_prefetch": 65}, "buffer.filter_prefetch must be a multiple of 8"),
        ({"buffer.weight_memory": 4}, "buffer.weight_memory must be a multiple of 8"),
        ({"post.channels": 17, "post.units": 2}, "post.channels must be a multiple"),
    ],
)
def test_refusals_name_field_value_and_limit(change, words):
    with pytest.raises(RowforgeError, match=words):
        Config.of(change)


RANGES = [name for name, item in Config.declared() if "low" in item.metadata]
CHOICES = [name for name, item in Config.declared() if "choices" in item.metadata]
KINDS = {
    name: item.metadata["kinds"] for name, item in Config.declared() if "kinds" in item.metadata
}
# Fields that allow another one's extreme value.
COMPANIONS = {
    ("memory.words", 1 << 28): {"memory.kind": "ram"},
    ("array.data_width", 16): {"noc.filter": 4},
    ("pe.macs", 2): {"noc.filter": 2},
    ("pe.psum_spad", 1): {"pe.macs": 1},
    ("array.psum_width", 40): {"buffer.banks": 64, "noc.psum_out": 1, "noc.psum_in": 1},
    ("buffer.width", 32): {"noc.ifmap": 4, "post.units": 1},
    ("buffer.width", 64): {},
    ("noc.psum_in", 8): {"buffer.banks": 8},
    ("pe.filter_spad", 2): {"noc.filter": 1},
    ("buffer.banks", 2): {"noc.psum_in": 1, "noc.psum_out": 1},
    ("buffer.act_banks", 64): {"buffer.banks": 64},
    ("buffer.psum_banks", 64): {"buffer.banks": 64},
    ("post.units", 8): {"noc.psum_in": 8},
}
EXTREMES = {
    "array.rows": (1, 32),
    "array.cols": (1, 32),
    "array.psum_width": (16, 40),
    "pe.ifmap_spad": (1, 255),
    "pe.filter_spad": (2, 4096),
    "pe.psum_spad": (1, 128),
    "pe.ifmap_fifo": (1, 32),
    "pe.psum_fifo": (2, 32),
    "noc.column_fifo": (2, 32),
    "buffer.banks": (2, 64),
    "buffer.act_banks": (0, 64),
    "buffer.psum_banks": (0, 64),
    "buffer.filter_prefetch": (64, 1 << 20),
    "buffer.weight_memory": (0, 1 << 24),
    "post.channels": (16, 8192),
    "control.map_bits": (8, 16),
    "control.row_patterns": (2, 255),
    "control.col_patterns": (2, 255),
    "control.watchdog": (64, 1 << 30),
    "memory.words": (0, 1 << 28),
    "memory.latency": (1, 255),
    "memory.pace": (1, 64),
    "memory.clock": (1000, 200_000),
    "memory.phase": (0, 359),
    "clusters.y": (1, 16),
    "clusters.x": (1, 16),
}
VALUES = {
    "array.data_width": (8, 16),
    "pe.macs": (1, 2),
    **dict.fromkeys(("noc.ifmap", "noc.filter", "noc.psum_in", "noc.psum_out"), (1, 2, 4, 8)),
    "noc.pipeline": (0, 1),
    "control.pipeline": (0, 1),
    "buffer.depth": tuple(1 << n for n in range(5, 15)),
    "buffer.width": (32, 64, 128),
    "post.units": (1, 2, 4, 8),
    "link.width": (8, 16, 32, 64),
}


def test_every_number_has_limits_or_choices():
    assert set(RANGES) == set(EXTREMES)
    assert set(CHOICES) == set(VALUES)


@pytest.mark.parametrize("name", EXTREMES)
def test_the_extreme_values_are_legal_and_the_next_ones_refused(name):
    low, high = EXTREMES[name]
    for value in (low, high):
        built = Config.of({name: value, **COMPANIONS.get((name, value), {})})
        assert built.value(name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(RowforgeError) as refused:
            Config.of({name: value})
        assert str(refused.value) == f"{name} must be {low} to {high}, not {value}"


@pytest.mark.parametrize("name", VALUES)
def test_all_choices_are_legal_and_no_others(name):
    for value in VALUES[name]:
        built = Config.of({name: value, **COMPANIONS.get((name, value), {})})
        assert built.value(name) == value
    listed = ", ".join(map(str, VALUES[name]))
    for value in {n + step for n in VALUES[name] for step in (-1, 1)} - set(VALUES[name]):
        with pytest.raises(RowforgeError) as refused:
            Config.of({name: value})
        assert str(refused.value) == f"{name} must be one of {listed}, not {value}"


MICROCONTROLLER = {"control.kind": "microcontroller", **OF_MICROCONTROLLER}


@pytest.mark.parametrize(
    "legal, change, sentence",
    [
        (
            {"noc.filter": 4, "array.data_width": 16},
            {"noc.filter": 8},
            "noc.filter must be at most 4 with array.data_width 16 (a link word has 64 bits), "
            "not 8",
        ),
        (
            {"noc.filter": 2, "pe.macs": 2},
            {"noc.filter": 1},
            "noc.filter must be at least pe.macs (2), not 1",
        ),
        (
            {"noc.psum_in": 2, "pe.macs": 2},
            {"noc.psum_in": 1},
            "noc.psum_in must be at least pe.macs (2), not 1",
        ),
        (
            {"noc.psum_out": 2, "pe.macs": 2},
            {"noc.psum_out": 1},
            "noc.psum_out must be at least pe.macs (2), not 1",
        ),
        (
            {"pe.filter_spad": 8, "noc.filter": 4},
            {"pe.filter_spad": 7},
            "pe.filter_spad must be at least 8 (two halves of one 4-word beat), not 7",
        ),
        (
            {"pe.psum_spad": 6, "pe.macs": 2},
            {"pe.psum_spad": 5},
            "pe.psum_spad must be even with pe.macs 2, not 5; 6 works",
        ),
        (
            {"noc.ifmap": 4, "buffer.width": 32},
            {"noc.ifmap": 8},
            "noc.ifmap must be at most 4 (activations in a 32-bit buffer word), not 8",
        ),
        (
            {"post.units": 4, "buffer.width": 32},
            {"post.units": 8},
            "post.units must be at most 4 (activations in a 32-bit buffer word), not 8",
        ),
        (
            {"post.units": 2, "noc.psum_in": 1, "noc.psum_out": 2},
            {"post.units": 4},
            "post.units must be at most 2 (psums of a psum network beat), not 4",
        ),
        (
            {"buffer.width": 32, "array.psum_width": 32},
            {"array.psum_width": 33},
            "buffer.width must be at least array.psum_width (33), not 32; 64 works",
        ),
        (
            {"buffer.banks": 8, "buffer.act_banks": 8},
            {"buffer.act_banks": 9},
            "buffer.act_banks must be at most buffer.banks (8), not 9",
        ),
        (
            {"buffer.banks": 8, "buffer.psum_banks": 8},
            {"buffer.psum_banks": 9},
            "buffer.psum_banks must be at most buffer.banks (8), not 9",
        ),
        (
            {"buffer.banks": 4},
            {"buffer.banks": 3},
            "buffer.banks must give psums at least 4 banks (a beat of 4 psums of 32 bits, twice), "
            "not 3",
        ),
        (
            {"buffer.psum_banks": 4},
            {"buffer.psum_banks": 3},
            "buffer.banks must give psums at least 4 banks (a beat of 4 psums of 32 bits, twice), "
            "not 3",
        ),
        (
            {"buffer.filter_prefetch": 72},
            {"buffer.filter_prefetch": 73},
            "buffer.filter_prefetch must be a multiple of 8 bytes, not 73",
        ),
        (
            {"buffer.weight_memory": 8},
            {"buffer.weight_memory": 9},
            "buffer.weight_memory must be a multiple of 8 bytes, not 9",
        ),
        (
            {"post.channels": 20, "post.units": 4},
            {"post.channels": 22},
            "post.channels must be a multiple of post.units (4), not 22",
        ),
        *(
            (
                MICROCONTROLLER,
                {name: value},
                f'{name} must be at most {most} with control.kind "microcontroller", not {value}',
            )
            for name, most, value in (
                ("array.rows", 16, 17),
                ("array.cols", 8, 9),
                ("array.data_width", 8, 16),
                ("pe.macs", 1, 2),
                ("noc.ifmap", 1, 2),
                ("noc.filter", 2, 4),
                ("noc.psum_in", 1, 2),
                ("noc.psum_out", 1, 2),
                ("buffer.width", 32, 64),
                ("post.units", 1, 2),
                ("link.width", 32, 64),
            )
        ),
        (
            MICROCONTROLLER,
            {"pe.kind": "skipping"},
            'pe.kind must be "dense" with control.kind "microcontroller", not "skipping": '
            "firmware, which hands out the words, is slower than any PE",
        ),
    ],
)
def test_combinations_are_legal_up_to_their_edge(legal, change, sentence):
    assert Config.of(legal).values().items() >= legal.items()
    with pytest.raises(RowforgeError) as refused:
        Config.of({**legal, **change})
    assert str(refused.value) == sentence


def test_the_largest_buffer_that_can_be_addressed_is_legal():
    """The most banks of the most words have addresses that a command can hold."""
    largest = Config.of({"buffer.banks": 64, "buffer.depth": 16384, "buffer.width": 128})
    assert largest.glb_bytes == 16 << 20
    assert largest.buffer.banks * largest.buffer.depth <= 1 << ADDRESS


def test_unknown_fields_and_bad_toml_are_refused():
    with pytest.raises(RowforgeError, match=r"no field array.row; \[array\] has rows, cols"):
        Config.from_dict({"array": {"row": 4}})
    with pytest.raises(RowforgeError, match="no section 'arrays'; known: array, pe"):
        Config.from_dict({"arrays": {"rows": 4}})
    with pytest.raises(RowforgeError, match="section 'array' must be a table"):
        Config.from_dict({"array": 4})
    with pytest.raises(RowforgeError, match="not valid TOML"):
        parse_toml("[array")
    with pytest.raises(RowforgeError, match=r"must have a table, one or more of \[array\]"):
        parse_toml("")
    with pytest.raises(RowforgeError, match="unknown table or key 'row'"):
        parse_toml("row = 4\n[array]")
    with pytest.raises(RowforgeError, match=r"must have \[pe\] as a table, not pe = 4"):
        parse_toml("pe = 4\n[array]")
    with pytest.raises(RowforgeError, match="cannot read"):
        read_config(Path("no such file.toml"))


def test_hash_and_differences_see_every_field():
    base = Config()
    other = {
        "array.data_width": 16,
        "noc.filter": 4,
        "pe.macs": 2,
        "noc.ifmap": 2,
        "noc.psum_in": 2,
        "noc.psum_out": 2,
        "noc.pipeline": 1,
        "control.pipeline": 1,
        "buffer.depth": 1024,
        "buffer.width": 128,
        "post.units": 2,
        "link.width": 32,
        "buffer.weight_memory": 8,
        "buffer.filter_prefetch": 1024,
        "buffer.act_banks": 8,
        "buffer.psum_banks": 4,
        "pe.psum_spad": 22,
        "control.map_bits": 12,
        "post.channels": 256,
    }
    hashes = {config_hash(base)}
    changeable = [
        (name, item)
        for name, item in Config.declared(hardware=True)
        if len(item.metadata.get("kinds", "12")) > 1
        and (name == "memory.kind" or not name.startswith("memory."))
    ]
    for name, item in changeable:
        default = base.value(name)
        value = other.get(name, _another(default, item))
        needs = {"array.data_width": {"noc.filter": 4}, "control.kind": MICROCONTROLLER}
        needs["memory.kind"] = {"memory.words": 1024}
        changed = base.with_values({**needs.get(name, {}), name: value})
        hashes.add(config_hash(changed))
        assert f"{name}: {default} here, {value} there" in differences(base, changed)
    assert len(hashes) == len(changeable) + 1


def test_a_memorys_fields_are_part_of_the_hardware_only_where_there_is_one():
    without, small, large = (
        Config.of({"memory.kind": kind, "memory.words": words})
        for kind, words in (("none", 0), ("ram", 1024), ("ram", 2048))
    )
    assert len({config_hash(config) for config in (without, small, large)}) == 3
    assert "memory.words" not in without.values(hardware=True)
    assert len(identity_words(small)) == len(identity_words(without)) + 3
    for config in (without, small, large):
        assert parse_identity(identity_words(config)).config == config
        assert parse_toml(render_toml(config)) == config
    assert differences(small, large) == ["memory.words: 1024 here, 2048 there"]
    assert "memory.words: none here, 1024 there" in differences(without, small)


@pytest.mark.parametrize(
    ("kind", "words", "reason"),
    [
        ("none", 1024, 'memory.words must be 0 with memory.kind "none", not 1024'),
        ("ram", 0, "memory.words must be a power of two from 1024 to 268435456, not 0"),
        ("ram", 1536, "memory.words must be a power of two from 1024 to 268435456, not 1536"),
        ("ram", 512, "memory.words must be a power of two from 1024 to 268435456, not 512"),
    ],
)
def test_a_memory_has_a_power_of_two_of_words_or_none(kind, words, reason):
    with pytest.raises(RowforgeError) as refused:
        Config.of({"memory.kind": kind, "memory.words": words})
    assert str(refused.value) == reason


SDRAM = {"memory.kind": "sdram", "memory.words": 1 << 20}


def test_each_kind_of_memory_has_the_fields_that_build_it():
    kinds = {
        "none": {"memory.words": 0},
        "ram": {"memory.words": 1024},
        "sdram": {**SDRAM, "memory.chip": "x32_8mb", "memory.clock": 60750},
        "axi": {"memory.words": 1 << 28},
    }
    built = {kind: Config.of({**values, "memory.kind": kind}) for kind, values in kinds.items()}
    shown = {
        kind: {name for name in config.values(hardware=True) if name.startswith("memory.")}
        for kind, config in built.items()
    }
    of_sdram = {"memory.chip", "memory.clock", "memory.phase"}
    assert shown["axi"] == {"memory.kind", "memory.words"} == shown["sdram"] - of_sdram
    assert shown["ram"] - shown["axi"] == {"memory.latency", "memory.pace"}
    for config in built.values():
        assert parse_identity(identity_words(config)).config == config
        assert config.memory.outside == (config.memory.kind in ("sdram", "axi"))
    later = built["sdram"].with_values({"memory.phase": 225})
    assert differences(built["sdram"], later) == ["memory.phase: 180 here, 225 there"]
    assert [built[kind].memory.address_bits for kind in kinds] == [0, 10, 20, 28]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (
            {"memory.words": 1 << 23},
            'memory.words must be at most 4194304 with memory.chip "x16_32mb", not 8388608',
        ),
        ({"memory.clock": 120_000}, "memory.clock and memory.phase .* at most 100 MHz"),
        ({"memory.clock": 100_000}, "memory.clock and memory.phase .* let data arrive"),
    ],
)
def test_an_sdram_that_cannot_work_is_refused(values, reason):
    with pytest.raises(RowforgeError, match=reason):
        Config.of(SDRAM | values)


def test_the_links_rate_is_no_part_of_the_hardware():
    slow = Config.of({"link.rate": 0.3})
    assert config_hash(slow) == config_hash(Config()) and not differences(slow, Config())
    assert slow != Config() and parse_toml(render_toml(slow)) == slow
    assert parse_identity(identity_words(slow)).config == Config()
    for value in (0, 1.001, -0.5, 0.3004, True, "1"):
        with pytest.raises(RowforgeError, match="link.rate must be"):
            Config.of({"link.rate": value})


def _another(default, item):
    if isinstance(default, bool):
        return not default
    return item.metadata["kinds"][1] if isinstance(default, str) else default + 1


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_one_of_those_named(name):
    for value in KINDS[name]:
        needs = {"microcontroller": MICROCONTROLLER}
        needs |= dict.fromkeys(("ram", "sdram", "axi"), {"memory.words": 1024})
        assert Config.of({**needs.get(value, {}), name: value})
    for value in ("no such kind", 0, None):
        with pytest.raises(RowforgeError) as refused:
            Config.of({name: value})
        assert f"{name} must be " in str(refused.value) and repr(value) in str(refused.value)
        assert all(kind in str(refused.value) for kind in KINDS[name])


def test_the_words_of_a_configuration_are_read_back():
    for config in (Config(), Config.of(MICROCONTROLLER), *map(read_config, PRESETS)):
        built = config.with_values({"link.rate": 1})  # of the host, which the hardware cannot know
        assert parse_identity(identity_words(config)).config == built


def test_a_flat_file_is_refused_with_the_section_of_each_field():
    with pytest.raises(RowforgeError) as refused:
        parse_toml("[accelerator]\n" + "".join(f"{name} = 1\n" for name in MOVED))
    for name, place in MOVED.items():
        assert f"{name} is now {place}" in str(refused.value)
    assert set(MOVED.values()) <= set(dict(Config.declared()))


def test_sections_refuse_what_they_alone_can_see():
    with pytest.raises(RowforgeError, match=r"pe.psum_spad must be even"):
        PeConfig(macs=2, psum_spad=3)
    with pytest.raises(RowforgeError, match=r"post.channels must be a multiple"):
        PostConfig(units=4, channels=18)


@pytest.mark.parametrize(
    "config, expected",
    [
        (Config(), (8, 2, 2, 4, 112, 2)),
        (Config.of({"buffer.width": 128, "array.psum_width": 40}), (16, 3, 2, 4, 112, 2)),
        (Config.of({"noc.psum_in": 1, "noc.psum_out": 1}), (8, 1, 1, 1, 112, 4)),
        (
            Config.of({"array.data_width": 16, "noc.filter": 4, "pe.filter_spad": 30}),
            (4, 2, 2, 4, 12, 2),
        ),
    ],
)
def test_derived_values(config, expected):
    assert expected == (
        config.lanes,
        config.psums_per_word,
        config.banks_per_beat,
        config.psum_beat,
        config.filter_half,
        config.psum_groups,
    )
