"""Traces and waves of the RTL: slices are the exact model's, sums the counters of the RTL."""

import re
import struct
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from rowforge.cli import build_parser
from rowforge.commands import run
from rowforge.configs import preset
from rowforge.running.compilation import compile_model, digits_model
from rowforge.running.inputs import drawn_input
from rowforge.tracing import observation
from rowforge.tracing.events import layer_times
from rowforge.tracing.observation import Observation
from rowforge.tracing.rtl import check_layer, check_observed, layer_window, observed
from rowforge.tracing.waves import check_waves
from sim.cycles.trace import LEVELS, SLICE, Track, trace
from sim.observed.engine import ObservedEngine, observed_library
from sim.observed.signals import probes
from sim.observed.slices import coarser
from sim.verilator import fst_headers
from tests.campaigns.traces.compare import differences
from tests.rowforge.support import FAST_BUILD, small_digits
from tests.rowforge.tracing.test_trace_file import checked

LAYER = "001_CONV_2D"


@pytest.fixture(scope="module", name="program")
def digits() -> Program:
    return small_digits()


@pytest.mark.slow
def test_slices_are_the_models_and_sums_the_counters(program):
    assert list(differences(program, drawn_input(program), optimise=FAST_BUILD)) == []


@pytest.mark.slow
def test_a_run_writes_a_trace_and_waves_of_a_layer(program, tmp_path, monkeypatch):
    monkeypatch.setattr(observation, "observed", partial(observed, optimise=FAST_BUILD))
    paths = {"trace": tmp_path / "t.json", "waves": tmp_path / "w.vcd"}
    Observation(program, drawn_input(program), rtl=True, layer=LAYER, **paths).write()
    sums = checked(paths["trace"])
    found = trace(program.uncounted())
    assert sums["PEs"]["macs"] == found.of(Track.PES)[:, SLICE.index("amount")].sum()

    begin, end = layer_window(program.layers, found, LAYER)
    waves = Waves(paths["waves"])
    assert waves.last - waves.first == 2 * (end - begin) - 1  # two halves of every cycle
    issued = waves.changes("sequencer__issued")
    rows = found.of(Track.PASSES)
    within = (rows[:, SLICE.index("begin")] >= begin) & (rows[:, SLICE.index("begin")] < end)
    assert len(issued) - 1 == np.count_nonzero(within) > 3  # the first tells what there was before
    layout = (tmp_path / "w.gtkw").read_text()
    shown = re.findall(r"^rowforge\.(?:\w+\.)*(\w+)(?:\[\d+:0\])?$", layout, re.M)
    assert {probe.name for probe in probes(program.config).values()} <= set(shown)
    assert set(shown) <= waves.names


class Waves:
    """A file of waves, read as a viewer does.

    Attributes
    ----------
    first, last : of its times
    names : of its signals, each without the path
    """

    def __init__(self, path: Path) -> None:
        head, _, body = path.read_text().partition("$enddefinitions $end")
        declared = re.findall(r"\$var \w+ +\d+ (\S+) (\w+)", head)
        self._codes = {name: code for code, name in declared}
        self._body = body
        times = [int(time) for time in re.findall(r"^#(\d+)$", body, re.M)]
        assert times == sorted(times)
        self.first, self.last, self.names = times[0], times[-1], set(self._codes)

    def changes(self, name: str) -> list[str]:
        """The values of a vector, from the first on."""
        code = re.escape(self._codes[name])
        return re.findall(rf"^b([01]+) {code}$", self._body, re.M)


@pytest.mark.parametrize("most", [900, 300, 150])
def test_a_coarser_trace_has_the_same_sums(program, most):
    found = trace(program).slices
    merged = coarser(found, most)
    assert len(merged) <= most < len(found)
    for track in Track:
        fine, coarse = (rows[rows[:, 0] == track] for rows in (found, merged))
        for name in ("amount", "merged"):
            column = SLICE.index(name)
            assert fine[:, column].sum() == coarse[:, column].sum()
        begin, end = coarse[:, SLICE.index("begin")], coarse[:, SLICE.index("end")]
        assert (begin[1:] >= end[:-1]).all() and begin[0] == fine[0, 1] and end[-1] == fine[-1, 2]
    few = [np.count_nonzero(np.isin(rows[:, 0], LEVELS)) for rows in (found, merged)]
    assert few[1] < few[0]


def test_few_slices_stay_as_they_are(program):
    found = trace(program).slices
    assert coarser(found, len(found)) is found


def test_a_layer_is_where_its_passes_are(program):
    found = trace(program)
    for number, begin, end in layer_times(found):
        first, last = layer_window(program.layers, found, program.layers[number].name)
        assert first <= begin < end <= last


def test_a_layer_is_looked_up_before_anything_runs(program, monkeypatch, tmp_path):
    host = next(layer.name for layer in program.layers if layer.where != "array")
    with pytest.raises(RowforgeError, match=f"layer of the accelerator, which {host} is not"):
        check_layer(program.layers, host)
    with pytest.raises(RowforgeError, match="which has none, not 'conv'"):
        check_layer([layer for layer in program.layers if layer.where != "array"], "conv")

    def ran(*_: object, **__: object) -> None:
        raise AssertionError("the model ran")

    monkeypatch.setattr(run, "run_program", ran)
    command = ["run", str(digits_model()), "--preset", "tiny", "--from", "conv", "--waves"]
    with pytest.raises(RowforgeError, match="--from must be one of 000_CONV_2D, .*, not 'conv'"):
        run.run(build_parser().parse_args([*command, str(tmp_path / "w.vcd")]))


def test_a_trace_of_more_cycles_than_are_noted_is_refused_before_anything_is_built(
    program, monkeypatch, tmp_path
):
    cycles = trace(program.uncounted()).cycles
    monkeypatch.setattr(observation, "MOST_NOTED", cycles - 1)
    with pytest.raises(RowforgeError, match="a program of at most .* cycles"):
        Observation(program, drawn_input(program), rtl=True, trace=tmp_path / "t.json")
    Observation(program, drawn_input(program), rtl=False, trace=tmp_path / "t.json")
    Observation(program, drawn_input(program), rtl=True, waves=tmp_path / "w.vcd")
    monkeypatch.setattr(observation, "MOST_NOTED", cycles)
    Observation(program, drawn_input(program), rtl=True, trace=tmp_path / "t.json")


@pytest.mark.slow
def test_the_engine_keeps_no_more_than_it_may(program):
    library = observed_library(program.config, optimise=FAST_BUILD)
    with ObservedEngine(library, program.config, most=100) as engine:
        engine.note()
        engine.run(np.zeros(0, np.uint64), None, 1000, idle=99)
        assert {len(values) for values in engine.samples().values()} == {99}
        engine.run(np.zeros(0, np.uint64), None, 1000, idle=1)
        with pytest.raises(RowforgeError, match="at most 100 cycles"):
            engine.run(np.zeros(0, np.uint64), None, 1000, idle=1)


@pytest.mark.slow
def test_filling_a_weight_memory_is_not_observed(program, tmp_path):
    """Waves of all cycles are as long as the run alone, and its trace is the exact model's."""
    config = program.config.with_values({"buffer.weight_memory": 8192})
    filled = compile_model(str(digits_model()), config).program
    assert filled.memory.size
    path = tmp_path / "w.vcd"
    found, outcome = observed(
        filled, drawn_input(filled), waves=path, window=(0, 500), optimise=FAST_BUILD
    )
    assert outcome.memory_words
    waves = Waves(path)
    assert waves.last - waves.first == 2 * 500 - 1
    expected = trace(filled)
    assert found.cycles == expected.cycles
    assert np.array_equal(found.of(Track.LOAD), expected.of(Track.LOAD))


@pytest.mark.slow
def test_waves_as_fst(program, tmp_path):
    """By the format's header: magic length, first and last time, and how many signals there are.

    Of a single PE: no other test shares the simulator.
    """
    if not fst_headers():
        pytest.skip("FST waves need liblz4-dev and zlib1g-dev")
    single = {"array.rows": 1, "array.cols": 1, "control.access_counters": False}
    config = program.config.with_values(single)
    program = compile_model(str(digits_model()), config).program
    path = tmp_path / "w.fst"
    found, _ = observed(
        program,
        drawn_input(program),
        waves=path,
        window=(100, 200),
        noted=False,
        optimise=FAST_BUILD,
    )
    assert found is None
    kind, length, first, last = struct.unpack_from(">BQQQ", path.read_bytes())
    signals = struct.unpack_from(">Q", path.read_bytes(), 49)[0]
    assert (kind, length) == (0, 329)
    assert last - first == 2 * 100 - 1
    assert signals > len(probes(program.config))


def test_what_cannot_be_observed_is_refused(tmp_path, monkeypatch):
    with pytest.raises(RowforgeError, match="--trace of the RTL must have control.kind"):
        check_observed("--trace", preset("icebreaker"))
    with monkeypatch.context() as without:
        without.setenv("CXX", "no-such-compiler")
        with pytest.raises(RowforgeError, match="program no-such-compiler, which is not on"):
            check_waves(tmp_path / "w.fst")
    monkeypatch.setattr("sim.verilator.fst_headers", lambda: False)
    with pytest.raises(RowforgeError, match="liblz4-dev zlib1g-dev"):
        check_waves(tmp_path / "w.fst")
