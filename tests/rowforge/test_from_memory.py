"""What `compile` and `estimate` say of a program in a memory."""

import pytest

from hw.arch.config.file import render_toml
from hw.arch.program.file import load_program
from rowforge.configs import preset
from sim.cycles.replays import predict_replays
from tests.rowforge.support import MODEL, rowforge

RAM = {"memory.kind": "ram", "memory.words": 1 << 13}
SDRAM = {"memory.kind": "sdram", "memory.words": 1 << 13, "memory.clock": 50_000}


@pytest.fixture
def file(tmp_path):
    def saved(values):
        path = tmp_path / "board.toml"
        path.write_text(render_toml(preset("tiny").with_values(values)))
        return path

    return saved


def test_both_say_the_cycles_of_the_program_file(capsys, file, tmp_path):
    config, program = file(SDRAM), tmp_path / "digits.rfp"
    document = rowforge(capsys, "estimate", MODEL, "--config", config, "--json").document
    cycles = document["total"]["memory_cycles"]
    time = f"{cycles / 50_000:.3g} ms at 50 MHz"
    said = f"from the memory: {cycles:,} cycles ({time}), by the exact model"
    assert document["memory"] == said
    compiled = rowforge(capsys, "compile", MODEL, "--config", config, "-o", program)
    assert said in compiled.out.splitlines()
    assert predict_replays(load_program(program)).cycles == cycles
    assert said in rowforge(capsys, "estimate", MODEL, "--config", config).out.splitlines()


def test_a_program_that_does_not_fit_has_no_cycles(capsys, file):
    config = file({**RAM, "memory.words": 1 << 10})
    outcome = rowforge(capsys, "estimate", MODEL, "--config", config, "--json")
    assert outcome.status == 0 and outcome.document["total"]["memory_cycles"] is None
    assert "not known, since" in outcome.document["memory"]
    assert "memory.words must be at least" in outcome.document["memory"]


def test_without_a_memory_nothing_is_said(capsys):
    document = rowforge(capsys, "estimate", MODEL, "--preset", "tiny", "--json").document
    assert "memory" not in document and "memory_cycles" not in document["total"]


def test_a_prediction_is_kept(capsys, file, tmp_path, monkeypatch):
    """For the same program, and no other: a density makes other cycles."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config = file({**RAM, "pe.kind": "skipping", "pe.zero_gating": True})

    def cycles(*more):
        said = rowforge(capsys, "estimate", MODEL, "--config", config, "--json", *more).document
        return said["total"]["memory_cycles"], said["memory"]

    dense, sparse = cycles(), cycles("--density", "0.2")
    assert 0 < sparse[0] < dense[0]
    assert "a share of 0.2 of all ifmap words is not zero" in sparse[1]
    assert "as if no activation were zero" in dense[1]
    monkeypatch.setattr("rowforge.running.from_memory.predict_replays", None)
    assert (cycles(), cycles("--density", "0.2")) == (dense, sparse)


def test_several_clusters_have_no_memory(capsys, tmp_path):
    config = tmp_path / "clusters.toml"
    config.write_text('[clusters]\nx = 2\n[memory]\nkind = "ram"\nwords = 8192\n')
    outcome = rowforge(capsys, "estimate", MODEL, "--config", config)
    outcome.assert_refused('memory.kind must be "none" with clusters.x 2')
