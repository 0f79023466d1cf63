"""`rowforge explore`: the command, what it leaves, and the front as accelerators."""

import csv
import json
import xml.etree.ElementTree as ElementTree

import pytest

from hw.arch.errors import RowforgeError
from rowforge.area.cells import CellCount
from rowforge.configs import load_config
from rowforge.exploring import verdict
from rowforge.exploring.evaluators import DaskEvaluator
from rowforge.generation import generate
from sim.verilator import lint
from tests.rowforge.exploring.spaces import TEXT, PretendedEvaluator, written
from tests.rowforge.support import rowforge

pytest.importorskip("optuna")


@pytest.fixture
def explored(tmp_path, capsys, monkeypatch):
    """A search with figures by a formula; its outcome and folder."""
    monkeypatch.setattr("rowforge.exploring.evaluators.HereEvaluator", PretendedEvaluator)
    words = ("explore", written(tmp_path), "-o", tmp_path / "found", "--jobs", 1)
    return rowforge(capsys, *words), tmp_path / "found", words


def test_a_search_leaves_a_front(explored):
    outcome, folder, _ = explored
    assert (outcome.status, outcome.err) == (0, "")
    assert "40 configurations" in outcome.out
    document = json.loads((folder / "front.json").read_text())
    with (folder / "front.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert document["trials"] == 40 and len(rows) == len(document["front"]) > 1
    for row in document["front"]:
        config = load_config(folder / row["file"])
        assert config.array.rows == row["array.rows"] and config.array.cols == row["array.cols"]
        assert str(row["area"]) in {each["area"] for each in rows}
    assert len(list((folder / "front").iterdir())) == len(rows)
    picture = ElementTree.parse(folder / "front.svg").getroot()
    assert len([part for part in picture.iter() if part.tag.endswith("circle")]) > len(rows)


def test_the_same_folder_goes_on_and_another_space_is_refused(explored, capsys, tmp_path):
    outcome, folder, words = explored
    again = rowforge(capsys, *words)
    assert again.out == outcome.out
    written(tmp_path, TEXT.replace("seed = 7", "seed = 8"))
    rowforge(capsys, *words).assert_refused("another space")


def test_the_best_are_synthesised(explored, capsys, monkeypatch):
    """By a stand-in for yosys that finds a tenth more than the model."""
    _, folder, words = explored
    front = json.loads((folder / "front.json").read_text())["front"]
    real = iter([CellCount(luts=round(row["luts"] * 1.1)) for row in front])
    monkeypatch.setattr(verdict, "synthesise", lambda config: {"all": next(real)})
    outcome = rowforge(capsys, *words, "--synth", 2)
    rows = json.loads((folder / "synthesis.json").read_text())
    assert [row["trial"] for row in rows] == [row["trial"] for row in front[:2]]
    assert all(row["off"] == pytest.approx(1 / 1.1 - 1, abs=1e-3) for row in rows)
    assert "-9.1 %" in outcome.out


@pytest.mark.slow
def test_a_point_of_the_front_is_an_accelerator(explored, tmp_path):
    """A slice of the campaign: the smallest point generates without a warning of the linter."""
    _, folder, _ = explored
    configs = [load_config(path) for path in (folder / "front").iterdir()]
    generate(min(configs, key=lambda config: config.multipliers), tmp_path / "made")
    assert lint(tmp_path / "made") == []


def test_a_cluster_that_does_not_answer_is_refused():
    pytest.importorskip("distributed")
    with pytest.raises(RowforgeError, match="no Dask scheduler answers at nonsense"):
        DaskEvaluator("nonsense://here")


def test_wrong_options_are_refused(capsys, tmp_path):
    words = ("explore", written(tmp_path), "-o", tmp_path / "found")
    rowforge(capsys, *words, "--jobs", 0).assert_refused("--jobs must be at least 1")
