"""Progress on a terminal, in a notebook, and nowhere else."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from rowforge.running import progress
from rowforge.running.progress import Progress, bar, stage


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """No message is left out for coming soon after another."""
    monkeypatch.setattr(progress, "_INTERVAL", 0.0)


class Shown:
    """An output of a notebook's cell, which remembers what it showed."""

    def __init__(self, first: dict[str, str]) -> None:
        self.all = [first]

    def update(self, shown: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.all.append(shown)


def test_a_terminal_shows_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    line = Progress()
    line.show("reading")
    with stage("tiny"):
        line.show("input 2 of 4", 0.25)
    line.clear()
    printed = capsys.readouterr().err
    assert printed == (
        "\r\033[Kreading …\r\033[Ktiny: input 2 of 4 [#####...............] 25% …\r\033[K\r\033[K"
    )


def test_a_notebook_shows_one_output(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: list[Shown] = []

    def display(shown: dict[str, str], *, raw: bool, display_id: bool) -> Shown:
        assert raw and display_id
        outputs.append(Shown(shown))
        return outputs[-1]

    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    line = Progress()
    line.show("a < b")
    line.show("input 4 of 4", 0.75)
    line.clear()
    (output,) = outputs
    assert output.all == [
        {"text/plain": "a < b …", "text/html": "<progress></progress> a &lt; b …"},
        {
            "text/plain": "input 4 of 4 [###############.....] 75% …",
            "text/html": '<progress value="0.750"></progress> input 4 of 4 …',
        },
        {"text/plain": "", "text/html": ""},
    ]


@pytest.mark.parametrize("shell", [None, SimpleNamespace()], ids=["no shell", "no kernel"])
def test_elsewhere_nothing_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: Any
) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    line = Progress()
    line.show("reading", 0.5)
    line.clear()
    assert capsys.readouterr() == ("", "")


def test_a_bar_keeps_its_width() -> None:
    assert bar(0) == "[....................] 0%"
    assert bar(1.7) == bar(1) == "[####################] 100%"
