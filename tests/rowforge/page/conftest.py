"""A page that several tests look at."""

from pathlib import Path

import pytest

from rowforge.cli import main
from tests.rowforge.support import MODEL

CONFIGURATIONS = ("tiny", "eyeriss_v1_int8")


@pytest.fixture(scope="session", name="page")
def digits_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits model on two configurations, with suggestions."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    command = ["report", MODEL, *CONFIGURATIONS, "--clock", "50", "--suggest", "-o", str(path)]
    assert main(command) == 0
    return path
