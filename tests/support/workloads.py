"""Where the third-party models and goldens are, and what happens when they are not there."""

import os
from pathlib import Path

import pytest

ROOT = Path(
    os.environ.get("ROWFORGE_WORKLOADS", Path(__file__).parents[3] / "shared" / "workloads")
)


def workload(relative: str) -> Path:
    """The path of a workload file; where it is absent the test is skipped, or fails if required."""
    path = ROOT / relative
    if not path.exists():
        message = f"workload {relative} is absent (set ROWFORGE_WORKLOADS)"
        if os.environ.get("REQUIRE_WORKLOADS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return path
