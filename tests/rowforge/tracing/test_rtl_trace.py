"""Traces and waves of the RTL: slices are the exact model's, sums the counters of the RTL."""

import re
from argparse import Namespace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from rowforge.commands import run
from rowforge.configs import preset
from rowforge.running.inputs import drawn_input
from rowforge.tracing.events import layer_times
from rowforge.tracing.rtl import check_observed, layer_window, observed
from rowforge.tracing.waves import check_waves
from sim.cycles.trace import LEVELS, SLICE, Track, trace
from sim.observed.signals import probes
from sim.observed.slices import coarser
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
    monkeypatch.setattr(run, "observed", partial(observed, optimise=FAST_BUILD))
    paths = {"trace": tmp_path / "t.json", "waves": tmp_path / "w.vcd"}
    args = Namespace(target="rtl", layer=LAYER, **paths)
    run._observe(args, program, drawn_input(program))
    sums = checked(paths["trace"])
    found = trace(program.uncounted())
    assert sums["PEs"]["macs"] == found.of(Track.PES)[:, SLICE.index("amount")].sum()

    names = [layer.name for layer in program.layers]
    begin, end = layer_window(names, found, LAYER)
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
    names = [layer.name for layer in program.layers]
    for number, begin, end in layer_times(found):
        first, last = layer_window(names, found, names[number])
        assert first <= begin < end <= last
    with pytest.raises(RowforgeError, match="--from must be one of 000_CONV_2D, .*, not 'conv'"):
        layer_window(names, found, "conv")


def test_what_cannot_be_observed_is_refused(tmp_path, monkeypatch):
    with pytest.raises(RowforgeError, match="--trace of the RTL must have control.kind"):
        check_observed("--trace", preset("icebreaker"))
    monkeypatch.setattr("rowforge.tracing.waves.fst_headers", lambda: False)
    with pytest.raises(RowforgeError, match="liblz4-dev zlib1g-dev"):
        check_waves(tmp_path / "w.fst")
