"""Progress of long work: one line on a terminal or in a notebook, nothing elsewhere."""

import importlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, ClassVar

_INTERVAL = 0.2  # seconds between two updates
_WIDTH = 20  # characters of a bar


class Progress:
    """Rewrites one line of standard error, or one output of a notebook's cell.

    Silent where standard error is no terminal and no notebook runs this.

    Attributes
    ----------
    stage : what the work that shows its progress is a part of; "" if of nothing
    """

    stage: ClassVar[str] = ""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._display = None if self._live else _notebook_display()
        self._handle: Any = None  # of the cell's output, from the first line to the last
        self._next = 0.0

    def show(self, message: str, share: float | None = None) -> None:
        """Show what is being done now, with a bar if the `share` of it that is done is known."""
        if time.monotonic() < self._next or not (self._live or self._display):
            return
        stage = f"{self.stage}: " if self.stage else ""
        said = f"{stage}{message}"
        if self._live:
            drawn = "" if share is None else f" {bar(share)}"
            sys.stderr.write(f"\r\033[K{said}{drawn} …")
            sys.stderr.flush()
        else:
            self._show_in_notebook(said, share)
        self._next = time.monotonic() + _INTERVAL

    def clear(self) -> None:
        """Leave the line empty for what follows."""
        if self._live:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
        elif self._handle is not None:
            self._handle.update({"text/plain": "", "text/html": ""}, raw=True)
            self._handle = None
        self._next = 0.0

    def _show_in_notebook(self, said: str, share: float | None) -> None:
        value = "" if share is None else f' value="{_clamped(share):.3f}"'
        drawn = "" if share is None else f" {bar(share)}"
        shown = {
            "text/plain": f"{said}{drawn} …",
            "text/html": f"<progress{value}></progress> {escape(said)} …",
        }
        if self._handle is None:
            assert self._display is not None
            self._handle = self._display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)


def bar(share: float) -> str:
    """A bar of text for a share from 0 to 1, with the share in percent."""
    share = _clamped(share)
    full = int(share * _WIDTH)
    return f"[{'#' * full}{'.' * (_WIDTH - full)}] {share:.0%}"


def _clamped(share: float) -> float:
    return min(max(share, 0.0), 1.0)


def _notebook_display() -> Any:
    """What shows an output below a notebook's cell, None elsewhere; imports nothing for it."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if not hasattr(shell, "kernel"):
        return None
    return importlib.import_module("IPython.display").display


@contextmanager
def stage(name: str) -> Iterator[None]:
    """All progress is shown as that of a stage, and the line is left empty after it."""
    before, Progress.stage = Progress.stage, name
    try:
        yield
    finally:
        Progress.stage = before
        Progress().clear()
