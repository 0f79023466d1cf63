"""Report pages of real networks: `python -m tests.campaigns.report.run --models DIR`.

ResNet-8, keyword spotting and MobileNetV2 on two configurations each. A page must be below 3 MB,
take less than 10 s beyond the estimates on two idle cores, where programs are traced beside the
estimates of others, hold the figures of `estimate --json`, and show all its parts in a browser
without a complaint. Every change that it suggests is applied:
the layer must take fewer cycles, as many as the page says, and be bound by something else, unless
the page says that no change removes the bound. Exit status 1 if something is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rowforge.configs import preset
from rowforge.estimation import estimate
from rowforge.page.render import TABS
from tests.support.browser import browser, missing
from tests.support.missed import Condition, conclude

MODELS = {
    "ResNet-8": "pretrainedResnet_quant.tflite",
    "keyword spotting": "kws_ref_model.tflite",
    "MobileNetV2": "tf2_mobilenet_v2_1.0_224_ptq.tflite",
}
CONFIGURATIONS = ("ulx3s_85f", "eyeriss_v1_int8")
MOST_BYTES, MOST_SECONDS = 3_000_000, 10


def command(*words: str) -> tuple[str, float]:
    """What a command prints, and its seconds without anything known before."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "rowforge", *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "ROWFORGE_CACHE": ""},
    )
    return done.stdout, time.perf_counter() - begin


def embedded(page: Path) -> list[dict[str, Any]]:
    """The exhibits in a page."""
    _, _, rest = page.read_text("utf-8").partition('id="data">')
    found: list[dict[str, Any]] = json.loads(rest.partition("</script>")[0])
    return found


def page_of(model: Path, folder: Path) -> Iterator[Condition]:
    """A page without suggestions: its size, time and figures, and how a browser shows it."""
    path = folder / "report.html"
    _, seconds = command("report", str(model), *CONFIGURATIONS, "-o", str(path))
    _, start = command("presets")
    beyond = seconds - start
    for exhibit, name in zip(embedded(path), CONFIGURATIONS, strict=True):
        printed, spent = command("estimate", str(model), "--preset", name, "--json")
        beyond -= spent - start
        same = exhibit["estimate"] == json.loads(printed)
        yield same, f"{model.name} on {name}: other figures than estimate --json"
    size = path.stat().st_size
    print(f"{model.name}: {size:,} bytes, {beyond:.1f} s beyond the estimates", flush=True)
    yield size < MOST_BYTES, f"{model.name}: {size:,} bytes"
    yield beyond < MOST_SECONDS, f"{model.name}: {beyond:.1f} s beyond the estimates"
    if absent := missing():
        print(f"no browser: {', '.join(absent)} not installed", flush=True)
        return
    yield from browsed(path, model.name)


def browsed(path: Path, name: str) -> Iterator[Condition]:
    """Every tab, a sorted table, and what the console said."""
    shown = """return [...document.querySelectorAll('[role="tabpanel"]')]
        .filter((panel) => panel.offsetHeight > 0).map((panel) => panel.id)"""
    cells = """return [...document.querySelector("table.sortable").tBodies[0].rows]
        .map((row) => row.cells[4].dataset.value).filter((value) => value).map(Number)"""
    with browser() as session:
        session.open(path.as_uri())
        for tab, _ in TABS:
            session.run(f"document.getElementById('tab-{tab}').click()")
            yield session.run(shown) == [tab], f"{name}: the tab {tab} is not shown"
        session.run("document.querySelectorAll('table.sortable th button')[4].click()")
        values = session.run(cells)
        ordered = values == sorted(values, reverse=True)  # the largest first
        yield len(values) > 5 and ordered, f"{name}: the table is not sorted"
        said = session.complaints()
        yield not said, f"{name}: {said}"


def suggested(model: Path, folder: Path) -> Iterator[Condition]:
    """Every change that a page suggests, applied."""
    path = folder / "suggested.html"
    command("report", str(model), *CONFIGURATIONS, "--suggest", "-o", str(path))
    for exhibit in embedded(path):
        yield from applied(str(model), exhibit)
        found = exhibit["suggestions"]
        said = f"{sum(each['removed'] for each in found)} of {len(found)} bounds removed"
        print(f"{model.name} on {exhibit['configuration']}: {said}", flush=True)


def applied(model: str, exhibit: Mapping[str, Any]) -> Iterator[Condition]:
    """The changes suggested in an exhibit of a preset, each by an estimate of its own."""
    yield bool(exhibit["suggestions"]), "no layer is looked at"
    for found in exhibit["suggestions"]:
        if found["change"] is None:
            yield not found["removed"], f"{found['name']}: nothing removes the bound"
            continue
        changes = dict(change.split(" = ") for change in found["change"].split(", "))
        values = {field: int(value) for field, value in changes.items()}
        config = preset(exhibit["configuration"]).with_values(values)
        report = estimate(model, config)
        after = next(row for row in report["layers"] if row["name"] == found["name"])
        said = f"{Path(model).name}, {found['name']}, {found['change']}: {after['cycles']} cycles"
        yield after["cycles"] == found["cycles_after"] < found["cycles"], said
        other = after["bound"] != found["bound"]
        yield other == found["removed"], f"{said}, bound by {after['bound']}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder of the models")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS))
    options = parser.parse_args(arguments)
    conditions: list[Condition] = []
    for name in options.only:
        (model,) = options.models.rglob(MODELS[name])
        with tempfile.TemporaryDirectory() as made:
            conditions += page_of(model, Path(made))
            conditions += suggested(model, Path(made))
    return conclude(conditions)


if __name__ == "__main__":
    sys.exit(main())
