"""Data that are no part of the project: where they are, and what happens when they are absent."""

import os
from pathlib import Path

import pytest


def folder(variable: str, name: str) -> Path:
    """What the environment variable names, else the folder `name` shared beside the project."""
    return Path(os.environ.get(variable, Path(__file__).parents[3] / "shared" / name))


def present(root: Path, relative: str, what: str, variable: str) -> Path:
    """A file's path; where it is absent the test is skipped, or fails if data are required."""
    path = root / relative
    if not path.exists():
        message = f"{what} {relative}: absent (set {variable})"
        if os.environ.get("REQUIRE_WORKLOADS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return path
