"""`rowforge demo`: the main job, and what it leaves behind."""

from xml.etree import ElementTree

import numpy as np
import pytest

from rowforge.reports.picture import picture
from tests.rowforge.support import DIGITS, rowforge


def test_the_digits_are_many_and_quantised():
    assert len(DIGITS.labels) >= 200
    assert DIGITS.images.dtype == np.int8
    assert set(DIGITS.labels) == set(range(10))


def test_the_picture_shows_right_and_wrong():
    rows = [
        {"name": "a & b", "cycles": 100, "utilization": 0.5},
        {"name": "c", "cycles": 50, "utilization": None},
        {"name": "host", "cycles": None, "utilization": None},
    ]
    labels = DIGITS.labels[:3].tolist()
    read = [labels[0], labels[1], (labels[2] + 1) % 10]
    text = picture(DIGITS.images[:3], read, labels, rows, "a caption")
    said = [element.text for element in ElementTree.fromstring(text).iter() if element.text]
    assert f"{read[2]}, not {labels[2]}" in said
    assert {"a caption", "a & b", "100, 50 % of the PEs", "50", str(labels[0])} <= set(said)
    assert "host" not in said


@pytest.mark.slow
def test_the_demo_is_right(capsys, tmp_path):
    outcome = rowforge(capsys, "demo", "-o", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    assert "20 of 20 equal on the RTL in every layer" in outcome.out
    right = int(outcome.out.split(" of 450 digits right")[0].split()[-1])
    assert right >= 0.95 * 450
    assert (tmp_path / "out" / "verilog" / "rowforge.v").is_file()
    ElementTree.parse(tmp_path / "out" / "digits.svg")


@pytest.mark.slow
def test_a_wrong_rtl_fails_the_demo(capsys, tmp_path, monkeypatch):
    from rowforge.running import targets
    from tests.rowforge.support import FaultyLink

    monkeypatch.setattr(targets, "rtl_link", lambda config: FaultyLink(config, block=3, byte=0))
    outcome = rowforge(capsys, "demo", "-o", tmp_path)
    assert outcome.status == 1
    assert "003_CONV_2D" in outcome.err


def test_a_folder_that_cannot_be_made_is_refused(capsys, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    rowforge(capsys, "demo", "-o", file / "below").assert_refused("below")
