"""The kept results and the page of tables that is made of them."""

import json
import re

import pytest

from benchmarks import performance, results
from benchmarks.commands import BENCHMARKS, CHIP, Benchmark, named
from benchmarks.energy_tables import BARS, ROOFLINE, energy_pictures, energy_tables
from benchmarks.page import PAGES, marks, render, render_all
from benchmarks.resources import fifos, resources
from benchmarks.results import RESULTS, BenchmarkError, load_all, measure, path_of, save
from benchmarks.tables import tables
from hw.arch.config.file import read_config
from rowforge.cli import build_parser
from rowforge.configs import preset
from tests.rowforge.support import MODEL

RESULT_KEYS = {"command", "changes", "commit", "date", "tools", "seconds", "report"}
KEPT = load_all()
CONFIGURED = ("resources", "technologies", "prices")


# ---- what is kept -------------------------------------------------------------------------------


def test_the_pages_agree_with_the_results():
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    assert render_all({**tables(KEPT), **energy_tables(KEPT)}) == texts


def test_the_pictures_agree_with_the_results():
    pictures = energy_pictures(KEPT)
    assert set(pictures) == {BARS, ROOFLINE}
    for path, picture in pictures.items():
        assert path.read_text(encoding="utf-8") == picture


def test_there_are_results_of_what_the_page_is_about():
    assert {"alexnet", "vgg16", "resnet50_int8", "mobilenet_v1_int8"} <= set(KEPT)
    # The rest is measured and read by other commands.
    found = {path.stem for path in RESULTS.iterdir() if not path.stem.startswith("board_")}
    others = {"onnx_node_tests", "onnx_suite", "bench_acceptance", "unchanged", "house", "skipping"}
    others |= {"memory", "prove", "replays", "area", "exploring", "coded-filters", "mapper"}
    others |= {"operators", "oracles", "predicted_replays", "hypervolume", "coverage", "search"}
    others |= {"estimates"}
    assert found - others == set(KEPT)


@pytest.mark.parametrize("name", KEPT)
def test_a_result_says_what_made_it(name):
    result = KEPT[name]
    assert set(result) == RESULT_KEYS
    assert result["command"] == named(name).command
    assert result["changes"] == dict(named(name).changes)
    assert re.fullmatch(r"[0-9a-f]{12}(\+changes)?", result["commit"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", result["date"])
    assert {"rowforge", "python", "numpy"} <= set(result["tools"])
    if named(name).arguments == ("reproduce", "energy"):
        assert all(figure["why"] for figure in result["report"]["figures"])
        return
    assert result["report"]["total"]["macs"] == sum(
        layer["macs"] or 0 for layer in result["report"]["layers"]
    )
    run = result["report"]["total"].get("rtl", {"exact": True, "within": True})
    assert run["exact"]
    assert run["within"]


# ---- commands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_every_command_is_one_that_there_is(benchmark, tmp_path):
    arguments = build_parser().parse_args(benchmark.call(tmp_path, tmp_path))
    assert arguments.json
    if benchmark.changes:
        values = read_config(arguments.config).values()
        assert values.items() >= benchmark.changes.items()
        base = preset(benchmark.preset)
        assert any(base.value(key) != value for key, value in benchmark.changes.items())


def test_names_are_unique():
    names = [benchmark.name for benchmark in BENCHMARKS]
    assert len(set(names)) == len(names)


# ---- measuring ----------------------------------------------------------------------------------


def test_a_measurement_is_kept_and_read_again(tmp_path):
    benchmark = Benchmark(name="alexnet", arguments=("estimate", MODEL), preset="tiny")
    result = measure(benchmark)
    assert set(result) == RESULT_KEYS
    assert len(result["report"]["layers"]) == 10
    save(benchmark, result, tmp_path)
    assert path_of(benchmark, tmp_path).name == "alexnet.json"
    assert load_all(tmp_path) == {"alexnet": json.loads(json.dumps(result))}


def test_a_command_that_fails_is_no_measurement(capfd):
    with pytest.raises(BenchmarkError, match="status 2"):
        measure(Benchmark(name="alexnet", arguments=("estimate", "lenet"), preset="tiny"))


def test_a_commit_with_changes_says_so(monkeypatch):
    said = {"rev-parse": "0123456789ab", "status": " M hw/pe/pe.py"}
    monkeypatch.setattr(results, "_git", lambda verb, *rest: said[verb])
    assert results.commit() == "0123456789ab+changes"
    said["status"] = ""
    assert results.commit() == "0123456789ab"


def test_models_must_be_somewhere(capsys):
    assert performance.main(["--group", "tiny"]) == 2
    assert "--models" in capsys.readouterr().err


# ---- the page -----------------------------------------------------------------------------------


def test_tables_go_to_their_marks_and_prose_stays():
    page = "a\n<!-- table: x -->\nold\n<!-- end -->\nb\n<!-- table: y -->\n<!-- end -->\n"
    done = render(page, {"x": "| 1 |", "y": "| 2 |"})
    assert done == (
        "a\n<!-- table: x -->\n| 1 |\n<!-- end -->\nb\n<!-- table: y -->\n| 2 |\n<!-- end -->\n"
    )
    assert render(done, {"x": "| 1 |", "y": "| 2 |"}) == done
    assert marks(done) == ["x", "y"]


def test_a_table_without_a_place_and_a_place_without_a_table_are_errors():
    with pytest.raises(ValueError, match="z"):
        render("", {"z": "| 1 |"})
    with pytest.raises(KeyError):
        render("<!-- table: x -->\n<!-- end -->", {})
    with pytest.raises(ValueError, match="no mark for the tables nothing"):
        render_all({**tables({}), **energy_tables({}), "nothing": ""})


def test_results_that_are_missing_are_not_invented():
    found = {**tables({}), **energy_tables({})}
    measured = {name: text for name, text in found.items() if name not in CONFIGURED}
    assert all("measured yet" in text for text in measured.values())
    assert energy_pictures({}) == {}
    places = [name for page in PAGES for name in marks(page.read_text(encoding="utf-8"))]
    assert sorted(found) == sorted(places)


# ---- the chip's resources -----------------------------------------------------------------------


def test_the_preset_has_what_the_chip_has():
    rows = resources(preset(CHIP))
    assert [row["ours"] for row in rows] == [row["chip"] for row in rows]


def test_fifos_are_counted_from_the_configuration():
    own, deeper = (
        preset(CHIP),
        preset(CHIP).with_values({"pe.ifmap_fifo": 5, "noc.column_fifo": 6, "noc.pipeline": 1}),
    )
    words, more = ({row["name"]: row["words"] for row in fifos(config)} for config in (own, deeper))
    assert words["all"] == sum(words.values()) - words["all"]
    assert more["ifmap, at the entry of a PE"] - words["ifmap, at the entry of a PE"] == 3 * 168
    assert more["all"] - words["all"] == 3 * 168 + 2 * 2 * 14 * 4 + 12 * 2 * (1 + 4)
