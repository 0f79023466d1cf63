"""`compiled.layers`: rows, text, HTML, a picture, and a data frame where pandas is."""

import sys
import xml.etree.ElementTree as ET
from types import ModuleType

import pytest

import rowforge
from rowforge import LayerTable, RowforgeError
from tests.rowforge.support import MODEL

CONFIG = rowforge.preset("tiny")


@pytest.fixture(scope="module", name="compiled")
def compile_digits() -> rowforge.Compiled:
    return rowforge.compile_model(MODEL, CONFIG)


def test_layers_are_those_of_an_estimate(compiled):
    estimated = rowforge.estimate(MODEL, CONFIG)["layers"]
    assert len(compiled.layers) == len(estimated) == 10
    for row, other in zip(compiled.layers, estimated, strict=True):
        for key in ("name", "op", "where", "macs", "model_cycles", "bound", "link_bytes"):
            assert row[key] == other[key], key
    assert compiled.layers[1]["cycles"] is None
    assert [row["name"] for row in compiled.layers[:2]] == ["000_CONV_2D", "001_CONV_2D"]


def test_text_and_html_have_the_same_cells(compiled):
    lines = repr(compiled.layers).splitlines()
    assert len(lines) == 12 and lines[2].split()[:5] == [
        *("000_CONV_2D", "CONV_2D", "array", "9,216", "1,116"),
    ]
    table = ET.fromstring(compiled.layers._repr_html_())
    rows = [[cell.text or "" for cell in line] for line in table.iter("tr")]
    assert len(rows) == 11 and rows[1][:5] == lines[2].split()[:5]
    total = f"{sum(row['model_cycles'] or 0 for row in compiled.layers):,} cycles"
    assert total in compiled._repr_html_()


def test_names_cannot_be_markup():
    row = {"name": "<b>&", "op": "", "where": "array", "model_cycles": 3}
    assert "&lt;b&gt;&amp;" in LayerTable([row])._repr_html_()
    ET.fromstring(LayerTable([row]).plot()._repr_svg_())


def test_bars_are_as_long_as_their_figures(compiled, tmp_path):
    picture = compiled.layers.plot()
    bars = [e for e in ET.fromstring(picture.svg) if e.tag.endswith("rect")][1:]  # paper first
    cycles = [row["model_cycles"] for row in compiled.layers if row["model_cycles"]]
    longest = max(float(bar.get("width")) for bar in bars)
    assert [round(float(bar.get("width")) / longest, 2) for bar in bars] == [
        round(count / max(cycles), 2) for count in cycles
    ]
    picture.save(tmp_path / "cycles.svg")
    assert (tmp_path / "cycles.svg").read_text() == picture.svg
    energy = LayerTable(rowforge.estimate(MODEL, CONFIG)["layers"]).plot("energy.total")
    assert "001_CONV_2D" in energy.svg
    for call in (lambda: compiled.layers.plot("weight"), lambda: picture.save("cycles.png")):
        with pytest.raises(RowforgeError):
            call()


def test_frames_need_pandas(compiled, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(RowforgeError, match="pandas, which is not installed"):
        compiled.layers.frame()
    pandas = ModuleType("pandas")
    pandas.DataFrame = list
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    assert compiled.layers.frame() == [dict(row) for row in compiled.layers]
