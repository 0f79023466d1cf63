"""Configurations: limits, combinations, TOML, hash, differences."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from hw.arch.commands import ADDRESS
from hw.arch.config import OF_PROCESSOR, Config
from hw.arch.configfile import config_hash, differences, parse_toml, read_config, render_toml
from hw.arch.errors import RowforgeError

PRESETS = sorted((Path(__file__).parents[3] / "rowforge" / "presets").glob("*.toml"))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_presets_are_valid_and_survive_rendering(path):
    config = read_config(path)
    assert parse_toml(render_toml(config)) == config


@pytest.mark.parametrize(
    "change, words",
    [
        ({"rows": 0}, "rows must be 1 to 32, not 0"),
        ({"rows": "4"}, "rows must be a whole number, not '4'"),
        ({"rows": True}, "rows must be a whole number, not True"),
        ({"zero_gating": 1}, "zero_gating must be true or false, not 1"),
        ({"data_width": 12}, "data_width must be one of 8, 16, not 12"),
        ({"noc_filter": 8, "data_width": 16}, "noc_filter must be at most 4"),
        ({"noc_filter": 1, "macs_per_pe": 2}, "noc_filter must be at least macs_per_pe"),
        ({"filter_spad": 15}, "filter_spad must be at least 16"),
        ({"psum_spad": 5, "macs_per_pe": 2}, "psum_spad must be even.* 6 works"),
        ({"noc_ifmap": 8, "glb_width": 32}, "noc_ifmap must be at most 4"),
        ({"post_units": 8, "glb_width": 32}, "post_units must be at most 4"),
        ({"post_units": 8}, "post_units must be at most 4 .psums"),
        ({"glb_width": 32, "psum_width": 40}, "glb_width must be at least psum_width"),
        ({"glb_act_banks": 9}, "glb_act_banks must be at most glb_banks"),
        ({"glb_psum_banks": 2}, "glb_banks must give psums at least 4 banks"),
        ({"filter_prefetch": 65}, "filter_prefetch must be a multiple of 8"),
        ({"weight_memory": 4}, "weight_memory must be a multiple of 8"),
        ({"post_channels": 17, "post_units": 2}, "post_channels must be a multiple"),
    ],
)
def test_refusals_name_field_value_and_limit(change, words):
    with pytest.raises(RowforgeError, match=words):
        Config(**change)


RANGES = [item for item in fields(Config) if "low" in item.metadata]
CHOICES = [item for item in fields(Config) if "choices" in item.metadata]
# Fields that allow another one's extreme value.
COMPANIONS = {
    ("data_width", 16): {"noc_filter": 4},
    ("macs_per_pe", 2): {"noc_filter": 2},
    ("psum_spad", 1): {"macs_per_pe": 1},
    ("psum_width", 40): {"glb_banks": 64, "noc_psum_out": 1, "noc_psum_in": 1},
    ("glb_width", 32): {"noc_ifmap": 4, "post_units": 1},
    ("glb_width", 64): {},
    ("noc_psum_in", 8): {"glb_banks": 8},
    ("filter_spad", 2): {"noc_filter": 1},
    ("glb_banks", 2): {"noc_psum_in": 1, "noc_psum_out": 1},
    ("glb_act_banks", 64): {"glb_banks": 64},
    ("glb_psum_banks", 64): {"glb_banks": 64},
    ("post_units", 8): {"noc_psum_in": 8},
}
EXTREMES = {
    "rows": (1, 32),
    "cols": (1, 32),
    "psum_width": (16, 40),
    "ifmap_spad": (1, 255),
    "filter_spad": (2, 4096),
    "psum_spad": (1, 128),
    "ifmap_fifo": (1, 32),
    "psum_fifo": (2, 32),
    "column_fifo": (2, 32),
    "glb_banks": (2, 64),
    "glb_act_banks": (0, 64),
    "glb_psum_banks": (0, 64),
    "filter_prefetch": (64, 1 << 20),
    "weight_memory": (0, 1 << 24),
    "post_channels": (16, 8192),
    "map_bits": (8, 16),
    "row_patterns": (2, 255),
    "col_patterns": (2, 255),
    "watchdog": (64, 1 << 30),
}
VALUES = {
    "data_width": (8, 16),
    "macs_per_pe": (1, 2),
    **dict.fromkeys(("noc_ifmap", "noc_filter", "noc_psum_in", "noc_psum_out"), (1, 2, 4, 8)),
    "bus_pipeline": (0, 1),
    "control_pipeline": (0, 1),
    "glb_depth": tuple(1 << n for n in range(5, 15)),
    "glb_width": (32, 64, 128),
    "post_units": (1, 2, 4, 8),
    "link_width": (8, 16, 32, 64),
}


def test_every_number_has_limits_or_choices():
    assert {item.name for item in RANGES} == set(EXTREMES)
    assert {item.name for item in CHOICES} == set(VALUES)


@pytest.mark.parametrize("name", EXTREMES)
def test_the_extreme_values_are_legal_and_the_next_ones_refused(name):
    low, high = EXTREMES[name]
    for value in (low, high):
        built = Config(**{name: value, **COMPANIONS.get((name, value), {})})
        assert getattr(built, name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(RowforgeError) as refused:
            Config(**{name: value})
        assert str(refused.value) == f"{name} must be {low} to {high}, not {value}"


@pytest.mark.parametrize("name", VALUES)
def test_all_choices_are_legal_and_no_others(name):
    for value in VALUES[name]:
        built = Config(**{name: value, **COMPANIONS.get((name, value), {})})
        assert getattr(built, name) == value
    listed = ", ".join(map(str, VALUES[name]))
    for value in {n + step for n in VALUES[name] for step in (-1, 1)} - set(VALUES[name]):
        with pytest.raises(RowforgeError) as refused:
            Config(**{name: value})
        assert str(refused.value) == f"{name} must be one of {listed}, not {value}"


PROCESSOR = {"processor": True, **OF_PROCESSOR}


@pytest.mark.parametrize(
    "legal, change, sentence",
    [
        (
            {"noc_filter": 4, "data_width": 16},
            {"noc_filter": 8},
            "noc_filter must be at most 4 with data_width 16 (a link word has 64 bits), not 8",
        ),
        (
            {"noc_filter": 2, "macs_per_pe": 2},
            {"noc_filter": 1},
            "noc_filter must be at least macs_per_pe (2), not 1",
        ),
        (
            {"noc_psum_in": 2, "macs_per_pe": 2},
            {"noc_psum_in": 1},
            "noc_psum_in must be at least macs_per_pe (2), not 1",
        ),
        (
            {"noc_psum_out": 2, "macs_per_pe": 2},
            {"noc_psum_out": 1},
            "noc_psum_out must be at least macs_per_pe (2), not 1",
        ),
        (
            {"filter_spad": 8, "noc_filter": 4},
            {"filter_spad": 7},
            "filter_spad must be at least 8 (two halves of one 4-word beat), not 7",
        ),
        (
            {"psum_spad": 6, "macs_per_pe": 2},
            {"psum_spad": 5},
            "psum_spad must be even with macs_per_pe 2, not 5; 6 works",
        ),
        (
            {"noc_ifmap": 4, "glb_width": 32},
            {"noc_ifmap": 8},
            "noc_ifmap must be at most 4 (activations in a 32-bit buffer word), not 8",
        ),
        (
            {"post_units": 4, "glb_width": 32},
            {"post_units": 8},
            "post_units must be at most 4 (activations in a 32-bit buffer word), not 8",
        ),
        (
            {"post_units": 2, "noc_psum_in": 1, "noc_psum_out": 2},
            {"post_units": 4},
            "post_units must be at most 2 (psums of a psum network beat), not 4",
        ),
        (
            {"glb_width": 32, "psum_width": 32},
            {"psum_width": 33},
            "glb_width must be at least psum_width (33), not 32; 64 works",
        ),
        (
            {"glb_banks": 8, "glb_act_banks": 8},
            {"glb_act_banks": 9},
            "glb_act_banks must be at most glb_banks (8), not 9",
        ),
        (
            {"glb_banks": 8, "glb_psum_banks": 8},
            {"glb_psum_banks": 9},
            "glb_psum_banks must be at most glb_banks (8), not 9",
        ),
        (
            {"glb_banks": 4},
            {"glb_banks": 3},
            "glb_banks must give psums at least 4 banks (a beat of 4 psums of 32 bits, twice), "
            "not 3",
        ),
        (
            {"glb_psum_banks": 4},
            {"glb_psum_banks": 3},
            "glb_banks must give psums at least 4 banks (a beat of 4 psums of 32 bits, twice), "
            "not 3",
        ),
        (
            {"filter_prefetch": 72},
            {"filter_prefetch": 73},
            "filter_prefetch must be a multiple of 8 bytes, not 73",
        ),
        (
            {"weight_memory": 8},
            {"weight_memory": 9},
            "weight_memory must be a multiple of 8 bytes, not 9",
        ),
        (
            {"post_channels": 20, "post_units": 4},
            {"post_channels": 22},
            "post_channels must be a multiple of post_units (4), not 22",
        ),
        *(
            (
                PROCESSOR,
                {name: value},
                f"{name} must be at most {most} with processor, not {value}",
            )
            for name, most, value in (
                ("rows", 16, 17),
                ("cols", 8, 9),
                ("data_width", 8, 16),
                ("macs_per_pe", 1, 2),
                ("noc_ifmap", 1, 2),
                ("noc_filter", 2, 4),
                ("noc_psum_in", 1, 2),
                ("noc_psum_out", 1, 2),
                ("glb_width", 32, 64),
                ("post_units", 1, 2),
                ("link_width", 32, 64),
            )
        ),
    ],
)
def test_combinations_are_legal_up_to_their_edge(legal, change, sentence):
    assert Config(**legal).as_dict().items() >= legal.items()
    with pytest.raises(RowforgeError) as refused:
        Config(**{**legal, **change})
    assert str(refused.value) == sentence


def test_the_largest_buffer_that_can_be_addressed_is_legal():
    """The most banks of the most words have addresses that a command can hold."""
    largest = Config(glb_banks=64, glb_depth=16384, glb_width=128)
    assert largest.glb_bytes == 16 << 20
    assert largest.glb_banks * largest.glb_depth <= 1 << ADDRESS


def test_unknown_fields_and_bad_toml_are_refused():
    with pytest.raises(RowforgeError, match="no field 'row'"):
        Config.from_dict({"row": 4})
    with pytest.raises(RowforgeError, match="not valid TOML"):
        parse_toml("[accelerator")
    with pytest.raises(RowforgeError, match=r"must have a table \[accelerator\]"):
        parse_toml("")
    with pytest.raises(RowforgeError, match="unknown table or key 'rows'"):
        parse_toml("rows = 4\n[accelerator]")
    with pytest.raises(RowforgeError, match="cannot read"):
        read_config(Path("no such file.toml"))


def test_hash_and_differences_see_every_field():
    base = Config()
    other = {
        "data_width": 16,
        "noc_filter": 4,
        "macs_per_pe": 2,
        "noc_ifmap": 2,
        "noc_psum_in": 2,
        "noc_psum_out": 2,
        "bus_pipeline": 1,
        "control_pipeline": 1,
        "glb_depth": 1024,
        "glb_width": 128,
        "post_units": 2,
        "link_width": 32,
        "weight_memory": 8,
        "filter_prefetch": 1024,
        "glb_act_banks": 8,
        "glb_psum_banks": 4,
        "psum_spad": 22,
        "map_bits": 12,
        "post_channels": 256,
    }
    hashes = {config_hash(base)}
    for item in fields(Config):
        default = getattr(base, item.name)
        value = other.get(item.name, not default if isinstance(default, bool) else default + 1)
        needs = {"data_width": {"noc_filter": 4}, "processor": PROCESSOR}.get(item.name, {})
        changed = replace(base, **{item.name: value, **needs})
        hashes.add(config_hash(changed))
        assert f"{item.name}: {default} here, {value} there" in differences(base, changed)
    assert len(hashes) == len(fields(Config)) + 1


@pytest.mark.parametrize(
    "config, expected",
    [
        (Config(), (8, 2, 2, 4, 112, 2)),
        (Config(glb_width=128, psum_width=40), (16, 3, 2, 4, 112, 2)),
        (Config(noc_psum_in=1, noc_psum_out=1), (8, 1, 1, 1, 112, 4)),
        (Config(data_width=16, noc_filter=4, filter_spad=30), (4, 2, 2, 4, 12, 2)),
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
