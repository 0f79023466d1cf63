"""A headless Chromium that tests drive over the WebDriver protocol: `Browser`."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

PROGRAMS = ("chromium", "chromedriver")
"""What must be on the PATH, as Debian's packages chromium and chromium-driver put it there."""

_PATIENCE = 60  # seconds for the driver to start, on a machine with much else to do


def missing() -> list[str]:
    """The programs that are not there."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


class Browser:
    """A session: scripts run in the page, and what the console said."""

    def __init__(self, address: str) -> None:
        self._address = address
        options = {
            "args": ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000"],
            "binary": shutil.which("chromium"),
        }
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._ask("/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def open(self, address: str) -> None:
        """Load a page."""
        self._ask(f"{self._session}/url", {"url": address})

    def run(self, script: str) -> Any:
        """What a script returns."""
        return self._ask(f"{self._session}/execute/sync", {"script": script, "args": []})

    def complaints(self) -> list[str]:
        """Warnings and errors on the console."""
        entries = self._ask(f"{self._session}/se/log", {"type": "browser"})
        return [e["message"] for e in entries if e["level"] in ("WARNING", "SEVERE")]

    def close(self) -> None:
        """End the session."""
        self._ask(self._session, None, "DELETE")

    def _ask(self, path: str, body: Any, method: str = "POST") -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self._address}{path}", data=data, method=method)
        request.add_header("Content-Type", "application/json")
        with urlopen(request, timeout=_PATIENCE) as answer:
            return json.load(answer)["value"]


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a driver of its own; both end with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen(
        ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        session = _connected(f"http://127.0.0.1:{port}")
        try:
            yield session
        finally:
            session.close()
    finally:
        driver.terminate()
        driver.wait()


def _connected(address: str) -> Browser:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return Browser(address)
        except URLError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
