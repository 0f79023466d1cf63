"""Data of ASIC processes."""

from pathlib import Path

from tests.support.present import folder, present

_VARIABLE = "ROWFORGE_PDK"
ROOT = folder(_VARIABLE, "pdk")


def pdk(relative: str) -> Path:
    """The path of a file of a process; where it is absent the test is skipped, or fails."""
    return present(ROOT, relative, "process data", _VARIABLE)
