"""Report pages of real networks: `python -m tests.campaigns.report.run --models DIR`.

ResNet-8, keyword spotting and MobileNetV2 on two configurations each. A page must be below 3 MB,
take less than 10 s beyond the estimates on two idle cores, where programs are traced beside the
estimates of others, hold the figures of `estimate --json`, and show all its parts in a browser
without a complaint. Every change that it suggests is applied:
the layer must take fewer cycles, as many as the page says, and be bound by something else, and not
be so without a part of the change. Exit status 1 if something is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from rowforge.estimation import estimate
from rowforge.page.render import TABS
from rowforge.page.suggest import LEAST
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
        removed = [each["removed"] for each in exhibit["suggestions"]]
        said = f"{sum(removed)} of {len(removed)} bounds removed"
        print(f"{model.name} on {exhibit['configuration']}: {said}", flush=True)
        yield all(removed), f"{model.name} on {exhibit['configuration']}: {said}"


def applied(model: str, exhibit: Mapping[str, Any]) -> Iterator[Condition]:
    """The changes suggested in an exhibit of a preset, each by an estimate of its own."""
    yield bool(exhibit["suggestions"]), "no layer is looked at"
    for found in exhibit["suggestions"]:
        told = f"{Path(model).name}, {found['name']}"
        if found["change"] is None:
            continue
        texts = dict(change.split(" = ") for change in found["change"].split(", "))
        values = {field: json.loads(text) for field, text in texts.items()}
        cycles, bound = changed(model, exhibit["configuration"], found["name"], values)
        told += f", {found['change']}: {cycles} cycles"
        yield cycles == found["cycles_after"] < found["cycles"], told
        yield bound == found["bound_after"], f"{told}, bound by {bound}"
        enough = bound != found["bound"] and cycles <= (1 - LEAST) * found["cycles"]
        yield found["removed"] == enough, f"{told}, bound by {bound}"
        for field in values if len(values) > 1 else ():
            less = {name: value for name, value in values.items() if name != field}
            with suppress(RowforgeError):  # the others need it
                cycles, bound = changed(model, exhibit["configuration"], found["name"], less)
                enough = bound != found["bound"] and cycles <= (1 - LEAST) * found["cycles"]
                yield not enough, f"{told}, does not need {field}"


def changed(model: str, name: str, layer: str, values: Mapping[str, Any]) -> tuple[int, str]:
    """Cycles and bound of a layer on a preset with other values."""
    report = estimate(model, preset(name).with_values(values))
    after = next(row for row in report["layers"] if row["name"] == layer)
    return after["cycles"], after["bound"]


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
