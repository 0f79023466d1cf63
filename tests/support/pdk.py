"""Where process data are, and what happens when they are absent: as for workloads."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("ROWFORGE_PDK", Path(__file__).parents[3] / "shared" / "pdk"))


def pdk(relative: str) -> Path:
    """The path of a file of a process; where it is absent the test is skipped, or fails."""
    path = ROOT / relative
    if not path.exists():
        message = f"process data {relative} are absent (set ROWFORGE_PDK)"
        if os.environ.get("REQUIRE_WORKLOADS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return path
