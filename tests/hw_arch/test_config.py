"""Configurations: limits, combinations, TOML, hash, differences."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from hw.arch.config import Config
from hw.arch.configfile import config_hash, differences, parse_toml, read_config, render_toml
from hw.arch.errors import RowforgeError

PRESETS = sorted((Path(__file__).parents[2] / "rowforge" / "presets").glob("*.toml"))


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
        "glb_depth": 1024,
        "glb_width": 128,
        "post_units": 2,
        "link_width": 32,
        "weight_memory": 8,
        "filter_prefetch": 1024,
        "glb_act_banks": 8,
        "glb_psum_banks": 4,
        "psum_spad": 22,
        "post_channels": 256,
    }
    hashes = {config_hash(base)}
    for item in fields(Config):
        default = getattr(base, item.name)
        value = other.get(item.name, not default if isinstance(default, bool) else default + 1)
        names = {"noc_filter": 4} if item.name == "data_width" else {}
        changed = replace(base, **{item.name: value, **names})
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
