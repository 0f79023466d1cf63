"""Third-party models and what interpreters make of them."""

from pathlib import Path

from tests.support.present import folder, present

_VARIABLE = "ROWFORGE_WORKLOADS"
ROOT = folder(_VARIABLE, "workloads")


def workload(relative: str) -> Path:
    """The path of a workload file; where it is absent the test is skipped, or fails if required."""
    return present(ROOT, relative, "workload", _VARIABLE)
