"""Progress of long work: one line on a terminal, nothing elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

_INTERVAL = 0.2  # seconds between two updates


class Progress:
    """Rewrites one line of standard error; silent where that is no terminal.

    Attributes
    ----------
    stage : what the work that shows its progress is a part of; "" if of nothing
    """

    stage: ClassVar[str] = ""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._next = 0.0

    def show(self, message: str) -> None:
        """Show what is being done now."""
        if self._live and time.monotonic() >= self._next:
            stage = f"{self.stage}: " if self.stage else ""
            sys.stderr.write(f"\r\033[K{stage}{message} …")
            sys.stderr.flush()
            self._next = time.monotonic() + _INTERVAL

    def clear(self) -> None:
        """Leave the line empty for what follows."""
        if self._live:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
        self._next = 0.0


@contextmanager
def stage(name: str) -> Iterator[None]:
    """All progress is shown as that of a stage, and the line is left empty after it."""
    before, Progress.stage = Progress.stage, name
    try:
        yield
    finally:
        Progress.stage = before
        Progress().clear()
