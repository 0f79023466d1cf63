"""Progress of long work: one line on a terminal, nothing elsewhere."""

import sys
import time

_INTERVAL = 0.2  # seconds between two updates


class Progress:
    """Rewrites one line of standard error; silent where that is no terminal."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._next = 0.0

    def show(self, message: str) -> None:
        """Show what is being done now."""
        if self._live and time.monotonic() >= self._next:
            sys.stderr.write(f"\r\033[K{message} …")
            sys.stderr.flush()
            self._next = time.monotonic() + _INTERVAL

    def clear(self) -> None:
        """Leave the line empty for what follows."""
        if self._live:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
        self._next = 0.0
