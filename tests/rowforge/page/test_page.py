"""The report page as a file: what it holds, and that its figures are those of `estimate --json`."""

import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from compiler.compile import timing_program
from rowforge.cli import main
from rowforge.configs import preset
from rowforge.estimation import estimate
from rowforge.page.changes import changes, more_clusters, written
from rowforge.page.exhibit import Subject, gather
from rowforge.page.render import TABS
from tests.campaigns.report.run import applied
from tests.rowforge.page.conftest import CONFIGURATIONS
from tests.rowforge.support import DIGITS, MODEL, rowforge

VOID = {"meta", "link", "br", "input", "img", "hr"}


class Page(HTMLParser):
    """The elements of a page, checked to close in order; what scripts and cells hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: Counter[str] = Counter()
        self.ids: list[str] = []
        self.controls: list[str] = []
        self.sources: list[str] = []
        self.classes: Counter[str] = Counter()
        self.scripts: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        self.count[tag] += 1
        self.ids += [told["id"]] if "id" in told else []
        self.controls += [told["aria-controls"]] if "aria-controls" in told else []
        self.sources += [told[name] for name in ("src", "href") if name in told]
        self.classes.update((told.get("class") or "").split())
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        self.text.append(data)


@pytest.fixture(scope="module", name="parsed")
def parse(page: Path) -> Page:
    return Page(page.read_text())


@pytest.fixture(scope="module", name="exhibits")
def embedded(parsed: Page):
    return json.loads(parsed.scripts[0])


def test_a_page_is_one_small_file_with_every_part_twice(page: Path, parsed: Page):
    assert page.stat().st_size < 3_000_000
    assert parsed.sources == ["data:,"]  # an icon of nothing, so that no browser asks for one
    assert "http" not in page.read_text().replace("http://www.w3.org/2000/svg", "")
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert parsed.controls == [name for name, _ in TABS]
    assert set(parsed.controls) <= set(parsed.ids)
    two = len(CONFIGURATIONS)
    assert parsed.classes["sortable"] == parsed.classes["network"] == two
    assert parsed.classes["schedule"] == parsed.classes["bounds"] == two
    assert parsed.classes["layer"] == 10 * two
    pes = sum(preset(name).array.rows * preset(name).array.cols * 5 for name in CONFIGURATIONS)
    assert parsed.classes["pe"] == pes  # of the whole run and of four layers with passes


@pytest.mark.parametrize("place", range(len(CONFIGURATIONS)))
def test_embedded_figures_are_those_of_an_estimate(exhibits, place, capsys):
    assert exhibits[place]["configuration"] == CONFIGURATIONS[place]
    printed = rowforge(
        capsys, "estimate", MODEL, "--preset", CONFIGURATIONS[place], "--json"
    ).document
    assert exhibits[place]["estimate"] == printed


def test_the_schedule_is_the_exact_model_s(exhibits):
    assert [exhibit["schedule"]["cycles"] for exhibit in exhibits] == [
        6549,
        2658,
    ]  # of the plain runs
    for exhibit in exhibits:
        for track in exhibit["schedule"]["tracks"]:
            ends = [0, *(end for _, end, *_ in track["slices"])]
            begins = [begin for begin, *_ in track["slices"]]
            assert all(b >= e for b, e in zip(begins, ends, strict=False)), track["name"]
    passes = next(t for t in exhibits[0]["schedule"]["tracks"] if t["name"] == "sequencer passes")
    assert sum(amount for *_, amount, _ in passes["slices"]) == 26


def test_a_suggested_change_gives_another_bound_and_fewer_cycles(parsed: Page):
    """Of the third layer of the first exhibit, as the page says it."""
    said = " ".join(" ".join(parsed.text).split())
    assert "post.units = 2 makes it 860 cycles, bound by compute" in said
    config = preset("tiny").with_values({"post.units": 2})
    before, after = (estimate(MODEL, c)["layers"][0] for c in (preset("tiny"), config))
    assert after["cycles"] == 860 < before["cycles"]
    assert after["bound"] == "compute" != before["bound"]


@pytest.mark.parametrize(("place", "least"), [(0, 3), (1, 2)])
def test_every_suggested_change_does_what_is_said_of_it(exhibits, place, least):
    assert sum(found["removed"] for found in exhibits[place]["suggestions"]) >= least
    assert [said for holds, said in applied(MODEL, exhibits[place]) if not holds] == []


@pytest.mark.parametrize("bound", ["compute", "link", "vector", "psum_out", "ifmap", "filter"])
def test_changes_differ_and_come_cheapest_first(bound):
    config = preset("tiny")
    found = list(changes(config, bound))
    assert found and len({written(values) for values in found}) == len(found)
    if bound == "compute":
        sizes = [config.with_values(values).multipliers for values in found]
        assert sizes == sorted(sizes) and sizes[0] > config.multipliers


def test_a_change_brings_what_it_needs():
    config = preset("ulx3s_85f").with_values({"noc.ifmap": 4})
    widest = next(iter(changes(config, "ifmap")))
    assert widest == {"noc.ifmap": 8, "buffer.width": 64}
    (clusters,) = more_clusters(preset("eyeriss_v1_int8"))
    assert clusters == {"clusters.y": 2, "buffer.filters": False}
    assert list(more_clusters(preset("tiny").with_values({"clusters.y": 2}))) == [{"clusters.x": 2}]


def test_labels_give_the_accuracy(tmp_path: Path):
    inputs, labels, path = (tmp_path / name for name in ("x.npy", "y.npy", "r.html"))
    np.save(inputs, DIGITS.images[:20])
    np.save(labels, np.append(DIGITS.labels[:19], (DIGITS.labels[19] + 1) % 10).astype(np.int64))
    files = ["--input", str(inputs), "--labels", str(labels)]
    assert main(["report", MODEL, "tiny", "-o", str(path), *files]) == 0
    assert "95.00 %" in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([MODEL, "tiny", "-o", "r.txt"], "must end in .html"),
        ([MODEL, "-o", "r.html"], "there is no configuration among"),
        (["tiny", "-o", "r.html"], "there is no model among"),
        ([MODEL, "tiniest", "-o", "r.html"], "'tiniest' must be a model"),
        ([MODEL, "tiny", "-o", "r.html", "--clock", "0"], "--clock must be above 0 MHz"),
        ([MODEL, "tiny", "-o", "r.html", "--labels", "y.npy"], "must be given together"),
        ([MODEL, "tiny", "-o", "nowhere/r.html"], "nowhere is not a folder"),
    ],
)
def test_wrong_reports_are_refused(arguments, said, capsys):
    rowforge(capsys, "report", *arguments).assert_refused(said)


def test_a_program_is_made_once_for_its_estimate_and_its_trace(monkeypatch):
    """Without a cache, which would hide the second time."""
    made = []

    def noted(graph, config, options):
        made.append(config)
        return timing_program(graph, config, options)

    monkeypatch.setenv("ROWFORGE_CACHE", "")
    for module in ("rowforge.estimation", "rowforge.page.exhibit"):
        monkeypatch.setattr(f"{module}.timing_program", noted)
    subjects = [Subject(str(MODEL), name, preset(name)) for name in CONFIGURATIONS]
    found = gather(subjects)
    assert made == [subject.config for subject in subjects]
    for each, subject in zip(found, subjects, strict=True):
        assert each.estimate == estimate(str(MODEL), subject.config)
        assert each.traced.cycles > 0
