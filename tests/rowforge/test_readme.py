"""What the README and the tour show can be typed, and the README's Python runs."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from rowforge.cli import COMMANDS, build_parser
from tests.rowforge.support import DIGITS, MODEL

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOUR = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
LINES = [
    shlex.split(line.split(" > ")[0], comments=True)[1:]
    for page in (README, TOUR)
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if not language and line.startswith("rowforge ")
]


@pytest.mark.parametrize("arguments", LINES, ids=" ".join)
def test_every_command_line_is_valid(arguments):
    assert build_parser().parse_args(arguments).command == arguments[0]


def test_every_command_is_shown():
    assert {arguments[0] for arguments in LINES} == set(COMMANDS)


def test_links_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_commands_printed_figures_are_the_demos():
    """The table is a copy of the demo's output: its form must still be the same."""
    from rowforge.reports.report import table

    row = {"name": "000_CONV_2D", "where": "array", "macs": 9_216, "cycles": 1, "model_cycles": 1}
    row |= {"utilization": 0.4, "bound": "psum_out", "link_bytes": 1}
    heading = table({"layers": [row], "total": {}}).splitlines()[0].split()
    (shown,) = [line.split() for line in README.splitlines() if line.startswith("layer ")]
    assert shown == heading


@pytest.mark.slow
def test_the_python_runs(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    shutil.copy(MODEL, "model.tflite")
    np.save("x.npy", DIGITS.images[:2])
    exec(compile(code, "README.md", "exec"), {})
    cycles, difference = capsys.readouterr().out.split()
    assert int(cycles) > 0
    assert difference == "None"
