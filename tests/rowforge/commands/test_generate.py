"""`rowforge generate`: what lies in the folder, and that tools take it."""

import json

import pytest

from hw.arch.config.file import render_toml
from rowforge.configs import load_config, preset, preset_names
from sim.verilator import lint
from tests.rowforge.support import rowforge
from tests.thorough import thorough

FILES = {
    "rowforge.core",
    "rowforge.f",
    "rowforge.h",
    "rowforge.json",
    "rowforge.md",
    "rowforge.sdc",
    "rowforge.toml",
    "rowforge.v",
    "rowforge.vlt",
    "tb",
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    from rowforge.cli import main

    folder = tmp_path_factory.mktemp("tiny")
    assert main(["generate", "--preset", "tiny", "-o", str(folder), "--period", "4"]) == 0
    return folder


def verilog(folder):
    return (folder / "rowforge.v").read_text().splitlines()


@pytest.mark.slow
def test_everything_is_there(tiny):
    assert {path.name for path in tiny.iterdir()} == FILES
    assert load_config(tiny / "rowforge.toml") == preset("tiny")
    assert json.loads((tiny / "rowforge.json").read_text())["configuration"]["array"]["rows"] == 4
    assert "4.0" in (tiny / "rowforge.sdc").read_text()


@pytest.mark.slow
def test_one_module_serves_all_pes(tiny):
    lines = verilog(tiny)
    modules = [line.split("(")[0].split()[1] for line in lines if line.startswith("module ")]
    assert len(modules) == len(set(modules))
    assert sum(line.split()[:1] == ["rowforge_pe"] for line in lines) == 16


@pytest.mark.slow
def test_verilator_has_nothing_to_say(tiny):
    assert lint(tiny) == []


@pytest.mark.slow
def test_the_chips_own_array(capsys, tmp_path):
    """Its text grows little with the array, of which `make test` takes a part."""
    rows, cols, most = thorough((3, 4, 1_000_000), (12, 14, 3_000_000))
    config, out = tmp_path / "array.toml", tmp_path / "out"
    part = {"array.rows": rows, "array.cols": cols}
    config.write_text(render_toml(preset("eyeriss_v1_int8").with_values(part)))
    assert rowforge(capsys, "generate", "--config", config, "-o", out).status == 0
    assert (out / "rowforge.v").stat().st_size <= most
    assert sum(line.split()[:1] == ["rowforge_pe"] for line in verilog(out)) == rows * cols
    assert lint(out) == []


@pytest.mark.slow
def test_counters_of_accesses_are_there_if_asked_for(capsys, tmp_path):
    config, out = tmp_path / "counting.toml", tmp_path / "out"
    config.write_text("[array]\nrows = 2\ncols = 2\n[control]\naccess_counters = true\n")
    assert rowforge(capsys, "generate", "--config", config, "-o", out).status == 0
    assert lint(out) == []
    assert "psum_spad_reads" in (out / "rowforge.v").read_text()
    assert "ROWFORGE_COUNTERS_LINK_STORE_WORDS_WORD" in (out / "rowforge.h").read_text()


@pytest.mark.slow
def test_without_counters_of_accesses_nothing_is_left_of_them(tiny):
    assert "psum_spad_reads" not in (tiny / "rowforge.v").read_text()
    assert "LINK_STORE_WORDS" not in (tiny / "rowforge.h").read_text()


@pytest.mark.slow
def test_the_asic_options(capsys, tmp_path):
    outcome = rowforge(
        capsys,
        *("generate", "--preset", "tiny", "-o", tmp_path, "--reset-all"),
        *("--memories", "blackbox"),
    )
    assert outcome.status == 0, outcome.err
    assert "rowforge_rams.v" in outcome.out
    assert (tmp_path / "rowforge.f").read_text().split() == ["rowforge_rams.v", "rowforge.v"]
    initial = {line.strip() for line in verilog(tmp_path) if line.strip().startswith("initial")}
    assert initial <= {"initial at_start = 0;"}  # makes simulators start, resets nothing
    assert lint(tmp_path) == []


@pytest.mark.slow
def test_a_process_brings_macros_and_files_for_flows(capsys, tmp_path):
    config, out = tmp_path / "small.toml", tmp_path / "out"
    config.write_text("[array]\nrows = 1\ncols = 1\n")
    arguments = ("generate", "--config", config, "-o", out, "--process", "ihp-sg13g2")
    outcome = rowforge(capsys, *arguments)
    assert outcome.status == 0, outcome.err
    names = {path.name for path in out.iterdir()}
    flows = {"config.mk", "config.yaml", "constraint.sdc", "macro_placement.tcl"}
    assert names >= FILES | flows | {"rowforge_memories.v", "rowforge_macros.v"}
    assert "rowforge_rams.v" not in names
    assert lint(out) == []


def test_a_process_decides_on_memories(capsys, tmp_path):
    arguments = ("generate", "--preset", "tiny", "-o", tmp_path, "--process", "sky130")
    rowforge(capsys, *arguments, "--memories", "infer").assert_refused("--memories")
    rowforge(capsys, *arguments[:-1], "tsmc").assert_refused("tsmc")


def test_refusals(capsys, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    arguments = ("generate", "--preset", "tiny", "-o")
    rowforge(capsys, *arguments, tmp_path, "--period", "-1").assert_refused("--period")
    rowforge(capsys, *arguments, tmp_path, "--memories", "magic").assert_refused("magic")


@pytest.mark.slow
def test_a_folder_that_is_none_is_refused(capsys, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    rowforge(capsys, "generate", "--preset", "tiny", "-o", file).assert_refused("file")


def test_every_preset_is_valid_and_introduces_itself():
    from rowforge.configs import preset_summary

    for name in preset_names():
        assert preset(name)
        assert preset_summary(name).endswith(".")
