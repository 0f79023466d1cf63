"""Pictures of energy: bars as long as what they stand for, marks where their figures are."""

import xml.etree.ElementTree as ElementTree

import pytest

from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from rowforge.estimation import estimate
from rowforge.reports.roofline import roofline
from rowforge.reports.stacked_bars import energy_bars, panels_of_bars
from tests.rowforge.support import MODEL, rowforge

SPACE = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def report():
    return estimate(MODEL, preset("tiny"))


def shapes(picture, kind):
    """What elements of a kind say under the pointer, with their attributes."""
    found = ElementTree.fromstring(picture).iter(f"{SPACE}{kind}")
    titled = [(element.find(f"{SPACE}title"), element.attrib) for element in found]
    return [(title.text, attributes) for title, attributes in titled if title is not None]


def words(picture):
    return [text.text for text in ElementTree.fromstring(picture).iter(f"{SPACE}text")]


def test_bars_are_as_long_as_their_parts(report):
    picture = energy_bars(report)
    energy = report["total"]["energy"]
    bars = {told.rpartition(" ")[0]: float(box["width"]) for told, box in shapes(picture, "rect")}
    longest = max(energy["by_level"].values())
    room = sum(bars[f"link: {data}"] for data in energy["detail"]["link"])
    for level, types in energy["detail"].items():
        for data, spent in types.items():
            assert bars[f"{level}: {data}"] == pytest.approx(room * spent / longest, abs=0.5)
    spent = [row["energy"]["total"] for row in report["layers"]]
    for row in report["layers"]:
        for level, part in row["energy"]["by_level"].items():
            width = bars[f"{row['name']}: {level}"]
            assert width == pytest.approx(room * part / max(spent), abs=0.5)
    assert "energy by level and data type, MAC" in words(picture)


def test_parts_stand_in_the_order_of_levels():
    picture = panels_of_bars([("title", [("a", {"link": 2, "mac": 1}), ("b", {"spad": 3})])])
    told = [said for said, _ in shapes(picture, "rect")]
    assert told == ["a: mac 1", "a: link 2", "b: spad 3"]
    assert words(picture)[:4] == ["title", "mac", "spad", "link"]


def test_marks_lie_below_the_roofs(report):
    config = preset("tiny")
    picture = roofline(config, report)
    marks = shapes(picture, "circle")
    layers = [row for row in report["layers"] if row["macs"] and row["cycles"]]
    assert len(marks) == 2 * len(layers)
    (peak,) = [
        text
        for text in ElementTree.fromstring(picture).iter(f"{SPACE}text")
        if text.text == f"{config.multipliers} multipliers"
    ]
    roof = float(peak.attrib["y"]) + 6
    for told, mark in marks:
        assert float(mark["cy"]) > roof, told
    first = layers[0]
    speed, intensity = first["macs"] / first["cycles"], first["macs"] / first["link_bytes"]
    said = f"{first['name']}: {speed:.1f} MACs a cycle, {intensity:.1f} a byte"
    assert said in [told for told, _ in marks]


def test_marks_are_on_a_logarithmic_scale():
    rows = [
        {"name": str(number), "macs": 10**number, "cycles": 10, "link_bytes": 10}
        for number in (2, 3, 4)
    ]
    marks = [mark for _, mark in shapes(roofline(preset("tiny"), {"layers": rows}), "circle")]
    for axis in ("cx", "cy"):
        first, second, third = (float(mark[axis]) for mark in marks)
        assert second - first == pytest.approx(third - second, abs=0.2)


def test_nothing_to_draw_is_refused():
    with pytest.raises(RowforgeError, match="needs layers with MACs"):
        roofline(preset("tiny"), {"layers": [{"name": "a", "macs": 1}]})
    with pytest.raises(RowforgeError, match="needs some"):
        energy_bars({"layers": [], "total": {"energy": {"total": 0}}})


def test_commands_write_pictures(capsys, tmp_path):
    bars, roofs = tmp_path / "bars.svg", tmp_path / "roofs.svg"
    arguments = ("--preset", "tiny", "--picture", bars, "--roofline", roofs)
    assert rowforge(capsys, "estimate", MODEL, *arguments).status == 0
    report = estimate(MODEL, preset("tiny"))
    assert bars.read_text() == energy_bars(report)
    assert roofs.read_text() == roofline(preset("tiny"), report)
    wrong = tmp_path / "bars.png"
    call = ("estimate", MODEL, "--preset", "tiny", "--picture", wrong)
    rowforge(capsys, *call).assert_refused("--picture", ".svg", "bars.png")
    call = ("reproduce", "alexnet", "--schedule", "chip", "--roofline", roofs)
    rowforge(capsys, *call).assert_refused("roofline", "cycles")
