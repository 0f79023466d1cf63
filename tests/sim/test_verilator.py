"""The Verilator engine against Amaranth's simulator, and its cache of builds."""

import threading
import time

import numpy as np
import pytest

from hw.arch.errors import RowforgeError
from hw.emit.companions import ram_models
from hw.emit.verilog import Options, emit
from sim import verilator
from sim.rtl import RtlEngine, SimulationTimeoutError
from sim.verilator import Build, build_library, cached_build, sources_digest
from tests.hw.grid import Grid, Oddities, simulate

ASIC = Options(reset_all=True, memories="blackbox")
GRID = Build(top="grid")
BRIEF = "-O0"  # for what runs briefly; the library that most tests share is optimised


@pytest.fixture(scope="session")
def library():
    return build_library(emit(Grid(), "grid"), GRID)


@pytest.fixture(scope="session")
def words():
    return np.random.default_rng(7).integers(0, 2**64, 60, dtype=np.uint64)


@pytest.fixture(scope="session")
def expected(words):
    design = Grid()
    return simulate(design, design.cmd, design.result, words)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ROWFORGE_CACHE", str(tmp_path / "a cache"))


@pytest.mark.parametrize("stall_seed", [None, 1, 2])
def test_same_results_as_the_amaranth_simulator(library, words, expected, stall_seed):
    result = RtlEngine(library).run(words, len(words), 5000, stall_seed=stall_seed)
    np.testing.assert_array_equal(result.words, expected)
    assert result.cycles <= result.elapsed


@pytest.mark.slow
def test_black_boxes_and_full_reset_change_nothing(words, expected):
    verilog = emit(Grid(), "grid", ASIC) + ram_models("grid")
    library = build_library(verilog, Build(top="grid", optimise=BRIEF))
    for seed in (1, 2):
        result = RtlEngine(library, seed=seed).run(words, len(words), 5000)
        np.testing.assert_array_equal(result.words, expected)


@pytest.mark.slow
def test_modules_translated_apart_change_nothing(words, expected):
    build = Build(top="grid", blocks=("grid_tap", "grid_tap_1"), optimise=BRIEF)
    library = build_library(emit(Grid(), "grid"), build)
    for stall_seed in (None, 3):
        result = RtlEngine(library).run(words, len(words), 5000, stall_seed=stall_seed)
        np.testing.assert_array_equal(result.words, expected)


@pytest.mark.slow
def test_odd_logic_survives_emission(words):
    design = Oddities()
    build = Build(top="odd", stream_in="x", stream_out="y")
    library = build_library(emit(Oddities(), "odd"), build)
    odd = np.concatenate([words, words >> np.uint64(40), np.arange(70, dtype=np.uint64)])
    result = RtlEngine(library).run(odd, len(odd), 5000)
    np.testing.assert_array_equal(result.words, simulate(design, design.x, design.y, odd))
    assert result.cycles == result.elapsed == len(odd), "one word a cycle, back to back"


def test_time_stands_still_between_runs(library, words, expected):
    with RtlEngine(library) as engine:
        start = engine.total_cycles
        first = engine.run(words[:25], 25, 5000)
        second = engine.run(words[25:], None, 5000, idle=50)
        assert engine.total_cycles == start + first.elapsed + second.elapsed
        np.testing.assert_array_equal(np.concatenate([first.words, second.words]), expected)
        assert 50 <= second.elapsed - second.cycles + 1 < 60
        engine.reset()
        again = engine.run(words[:25], 25, 5000)
        np.testing.assert_array_equal(again.words, first.words)
        assert again.cycles == first.cycles


def test_progress_is_told(library, words):
    told = []
    RtlEngine(library).run(words, len(words), 5000, progress=told.append)
    assert told and told[-1] > len(words)


def test_timeout_says_how_far_it_came(library, words, expected):
    engine = RtlEngine(library)
    with pytest.raises(SimulationTimeoutError, match="given 60 of 61 results") as caught:
        engine.run(words, 61, 3000)
    assert (caught.value.accepted, caught.value.cycles) == (60, 3000)
    np.testing.assert_array_equal(caught.value.words, expected)
    with pytest.raises(SimulationTimeoutError, match="after 10 cycles .* of 60 words"):
        RtlEngine(library).run(words, None, 10)


@pytest.mark.slow
def test_waveforms_are_written(tmp_path, words):
    build = Build(top="grid", trace="vcd", optimise=BRIEF)
    library = build_library(emit(Grid(), "grid"), build)
    with RtlEngine(library, trace=tmp_path / "grid.vcd") as engine:
        engine.run(words[:3], 3, 1000)
    assert "cmd__payload" in (tmp_path / "grid.vcd").read_text()


def test_hit_calls_neither_elaboration_nor_compiler(empty_cache, monkeypatch):
    calls = []
    monkeypatch.setattr(verilator, "_build", fake_build(calls))
    key = ("config", sources_digest())
    first = cached_build(key, lambda: "verilog", GRID)
    assert first.read_text() == "library of verilog"

    def never():
        raise AssertionError("a hit must not elaborate")

    assert cached_build(key, never, GRID) == first
    assert len(calls) == 1
    assert cached_build(("other", *key), lambda: "verilog", GRID) == first, "the same Verilog"
    assert len(calls) == 1
    other = cached_build(key, never, Build(top="another"))
    assert other != first and other.read_text() == "library of verilog", "elaborated once"
    assert len(calls) == 2


def fake_build(calls):
    def build(work, verilog, build):
        calls.append(verilog)
        time.sleep(0.2)
        (work / "built").write_text(f"library of {verilog}")
        return work / "built"

    return build


def test_two_builds_at_once_are_one(empty_cache, monkeypatch):
    calls, found = [], []
    monkeypatch.setattr(verilator, "_build", fake_build(calls))
    workers = [
        threading.Thread(target=lambda: found.append(build_library("verilog", GRID)))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(calls) == 1
    assert len(set(found)) == 1


def test_failed_build_leaves_nothing(empty_cache):
    with pytest.raises(RowforgeError, match="perl failed on the RTL simulator: .*syntax error"):
        build_library("module grid(; endmodule", GRID)
    assert not list(verilator.cache_root().rglob("*.so"))


def test_missing_tool_is_named(empty_cache, monkeypatch):
    monkeypatch.setenv("PATH", "")
    verilator.tool_versions()  # cached: only the build looks for its tools now
    with pytest.raises(RowforgeError, match="needs the program perl, which is not on the PATH"):
        build_library("module grid; endmodule", GRID)


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("ROWFORGE_CACHE", raising=False)
    assert verilator.cache_root() == tmp_path / "rowforge"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert verilator.cache_root().parts[-2:] == (".cache", "rowforge")


def test_digest_of_the_sources_is_stable():
    assert sources_digest() == sources_digest()
    assert len(sources_digest()) == 64


def test_the_sources_are_those_of_the_imported_gateware(tmp_path, monkeypatch):
    """Another `hw` on Python's path makes other Verilog, so that nothing cached serves both."""
    (tmp_path / "__init__.py").write_text("# another\n")
    digest = verilator.sources_digest.__wrapped__
    before = digest()
    monkeypatch.setattr(verilator.hw, "__file__", str(tmp_path / "__init__.py"))
    assert digest() != before
