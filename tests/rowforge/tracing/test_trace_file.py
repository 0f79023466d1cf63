"""`--trace`: Chrome trace events that a reader takes, with the sums of the RTL's counters."""

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rowforge.cli import main
from rowforge.configs import preset
from rowforge.running.compilation import compile_model, digits_model
from rowforge.running.execution import run_once
from rowforge.tracing.events import UNITS, by_layer
from rowforge.tracing.file import write_trace
from sim.cycles.trace import Track, trace

MODEL = str(digits_model())

# what both the RTL's counters and a trace of the same program know of a layer
COUNTED = {
    Track.LOAD: "glb_load_writes",
    Track.PASSES: "passes",
    Track.FILTERS: "filter_words",
    Track.PSUMS_IN: "glb_psum_read_beats",
    Track.PSUMS_OUT: "glb_psum_write_beats",
    Track.PES: "macs",
    Track.POST: "glb_act_write_words",
    Track.ACTIVE_PES: "pe_active_cycles",
}


def checked(path: Path) -> dict[str, dict[str, int]]:
    """Reads a trace as a viewer would; of every track the sums of its slices' figures.

    Raises `AssertionError` for what is no trace: other events than slices, counters and names,
    times that are no integers, a track without a name, slices of a track that overlap.
    """
    document = json.loads(path.read_text())
    names: dict[int, str] = {}
    ends: defaultdict[int, int] = defaultdict(int)
    sums: dict[str, dict[str, int]] = {}
    newest: dict[str, int] = {}
    for event in document["traceEvents"]:
        assert event["ph"] in ("X", "C", "M")
        if event["ph"] == "M":
            if event["name"] == "thread_name":
                names[event["tid"]] = event["args"]["name"]
            continue
        begin = event["ts"]
        assert isinstance(begin, int) and 0 <= begin < document["otherData"]["cycles"]
        if event["ph"] == "C":
            assert begin >= newest.get(event["name"], 0)
            newest[event["name"]] = begin
            assert all(isinstance(value, int | float) for value in event["args"].values())
            continue
        place, length = event["tid"], event["dur"]
        assert isinstance(length, int) and length > 0
        assert begin >= ends[place], (names[place], begin)
        ends[place] = begin + length
        assert ends[place] <= document["otherData"]["cycles"]
        track = sums.setdefault(names[place], defaultdict(int))
        track["dur"] += length
        for name, value in event["args"].items():
            if isinstance(value, int):
                track[name] += value
    assert newest
    return sums


@pytest.fixture(scope="module", name="written")
def traced_estimate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "digits.json"
    assert main(["estimate", MODEL, "--preset", "tiny", "--trace", str(path)]) == 0
    return path


def test_an_estimate_writes_a_trace(written: Path):
    sums = checked(written)
    busy = {name for track, (name, _) in UNITS.items() if track < Track.ACTIVE_PES}
    assert set(sums) == {"layers"} | busy
    assert sums["PEs"]["macs"] == 71232
    assert sums["link in"]["words"] == sums["link in"]["dur"]  # a word a cycle, when words come
    layers = [e for e in json.loads(written.read_text())["traceEvents"] if e.get("tid") == 0]
    assert [e["name"] for e in layers if e["ph"] == "X"][:2] == ["000_CONV_2D", "001_CONV_2D"]


def test_a_run_of_the_golden_model_writes_the_same_trace(written: Path, tmp_path: Path):
    """Of raw words and dense PEs the values do not matter."""
    path = tmp_path / "run.json"
    command = ["run", MODEL, "--preset", "tiny", "--target", "golden", "--trace", str(path)]
    assert main(command) == 0
    assert path.read_text() == written.read_text()


def test_the_sums_are_the_counters_of_the_rtl_and_the_time_is_the_plain_run(tmp_path: Path):
    compiled = compile_model(MODEL, preset("tiny"))
    inputs = np.random.default_rng(1).integers(-128, 128, (1, 8, 8, 1)).astype(np.int8)
    result = run_once(compiled, inputs, "rtl")
    found = trace(compiled.program)
    sums: dict[str, dict[int, Any]] = {n: by_layer(found, track) for track, n in COUNTED.items()}
    for layer, counters in result.counters.items():
        for name in COUNTED.values():
            if name in counters:
                assert sums[name].get(layer, 0) == counters[name], (layer, name)
    path = tmp_path / "counted.json"
    write_trace(path, compiled.program, found)
    macs = sum(counters["macs"] for counters in result.counters.values())
    assert checked(path)["PEs"]["macs"] == macs
    plain = replace(compiled, program=compiled.program.uncounted())
    assert trace(plain.program).cycles == run_once(plain, inputs, "rtl").cycles


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["estimate", MODEL, "--trace", "T.txt"], "must name a file that ends in .json"),
        (["estimate", MODEL, "--trace", "nowhere/T.json"], "nowhere is not a folder"),
        (["run", MODEL, "--trace", "T.txt"], "must name a file that ends in .json"),
        (["run", MODEL, "--trace", "T.json", "--target", "rtl-paced"], "golden or rtl, not rtl-p"),
        (["run", MODEL, "--waves", "W.txt"], "must name a .vcd or .fst file"),
        (["run", MODEL, "--waves", "W.vcd", "--target", "golden"], "must have --target rtl"),
        (["run", MODEL, "--from", "001_CONV_2D"], "of which layer --waves are written"),
    ],
)
def test_what_nothing_can_trace_is_refused_in_a_sentence(arguments, said, capsys):
    assert main([*arguments, "--preset", "tiny"]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
