"""`rowforge explore --place`: figures of the best points, by stand-ins for the programs."""

import json

import pytest

from boards import flows
from boards.catalogue import board
from boards.common.report import begin
from boards.common.tools import Tool
from hw.arch.errors import RowforgeError
from rowforge.area.cells import CellCount
from rowforge.exploring import verdict
from tests.rowforge.exploring.spaces import TEXT, PretendedEvaluator, written
from tests.rowforge.support import rowforge

pytest.importorskip("optuna")

NAME = "ulx3s-85f"
WITH_BOARD = TEXT.replace('start = "tiny"', f'start = "tiny"\nboard = "{NAME}"')


@pytest.fixture
def programs(monkeypatch):
    """All programs are there, yosys finds some LUTs, and a search takes no time."""
    monkeypatch.setattr("rowforge.exploring.evaluators.HereEvaluator", PretendedEvaluator)
    monkeypatch.setattr(verdict, "synthesise", lambda config: {"all": CellCount(luts=1000)})
    monkeypatch.setattr(flows, "find", lambda name: Tool(name, (name,), "stand-in"))


def explored(capsys, folder, *options, text=WITH_BOARD):
    words = ("explore", written(folder, text), "-o", folder / "found", "--jobs", 1)
    return rowforge(capsys, *words, *options)


def test_the_best_are_placed_beside_their_synthesis(programs, capsys, tmp_path, monkeypatch):
    """The first meets the clock, the second does not, the third finds no room."""
    built = []

    def build(target, config, folder, seed, progress):
        progress("placing")
        built.append((target.name, config, folder))
        if len(built) == 3:
            raise RowforgeError("nextpnr-ecp5 failed: no\nBELs remaining")
        report = begin(target, config, seed)
        report.lut, report.ff, report.dsp, report.block_ram = 1234, 567, config.multipliers, 8
        report.met = len(built) == 1
        report.fmax_mhz = 61.25 if report.met else 39.5
        return report

    monkeypatch.setattr(flows, "build", build)
    outcome = explored(capsys, tmp_path, "--synth", 3, "--place")
    assert (outcome.status, outcome.err) == (0, "")
    folder = tmp_path / "found"
    front = json.loads((folder / "front.json").read_text())["front"]
    rows = json.loads((folder / "placement.json").read_text())
    assert [row["trial"] for row in rows] == [row["trial"] for row in front[:3]]
    assert len(json.loads((folder / "synthesis.json").read_text())) == 3
    assert [row["met"] for row in rows] == [True, False, None]
    assert [row["fmax_mhz"] for row in rows] == [61.25, 39.5, None]
    assert rows[2]["refusal"] == "nextpnr-ecp5 failed: no BELs remaining"
    assert {row["target_mhz"] for row in rows} == {board(NAME).clock / 1e6}
    for row, best, (name, config, place) in zip(rows, front[:3], built, strict=True):
        assert name == NAME and place.name == f"trial_{row['trial']:05d}"
        assert (config.array.rows, config.array.cols) == (best["array.rows"], best["array.cols"])
    shown = outcome.out[outcome.out.index(f"placed for {NAME}") :]
    assert [word in shown for word in ("61.2", "met", "39.5", "missed", "not placed")] == [True] * 5
    assert "no BELs remaining" in shown


def test_what_cannot_be_placed_is_refused_before_anything_is_searched(
    programs, capsys, tmp_path, monkeypatch
):
    explored(capsys, tmp_path, "--place").assert_refused("--place needs --synth K")
    place = ("--synth", 1, "--place")
    explored(capsys, tmp_path, *place, text=TEXT).assert_refused("a space that names a board")

    def missing(name):
        raise RowforgeError(f"{name} is not installed; type pip install 'rowforge[boards]'")

    monkeypatch.setattr(flows, "find", missing)
    explored(capsys, tmp_path, *place).assert_refused("is not installed; type pip install")
    assert not (tmp_path / "found").exists()


def test_a_part_that_nextpnr_does_not_place_is_refused():
    with pytest.raises(RowforgeError, match="pynq-z2 must have a part that nextpnr places"):
        flows.check_programs(board("pynq-z2"))
