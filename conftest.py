"""What `make test-quick` leaves out, and where tests keep what they search for."""

import os
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
# Folders of benches with hundreds of cases of a second or two, all of one kind.
_MANY = ("tests/tb", "tests/hw", "tests/campaigns/damage")
# What searches are tested in, or changed by tests: nothing is kept there, nor read.
_SEARCHED_ANEW = (
    "tests/campaigns",
    "tests/compiler/mapper",
    "tests/compiler/schedule",
    "tests/compiler/test_figures.py",
)
_QUICK = 16  # of so many cases of a bench one runs


# All processes of all runs share a folder of this clone, unless the environment names one.
_CACHE = os.environ.setdefault("ROWFORGE_CACHE", str(ROOT / "build" / "cache"))


@pytest.hookimpl(tryfirst=True)  # before fixtures
def pytest_runtest_setup(item: pytest.Item) -> None:
    anew = any(item.path.is_relative_to(ROOT / place) for place in _SEARCHED_ANEW)
    os.environ["ROWFORGE_CACHE"] = "" if anew else _CACHE


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seen: Counter[str] = Counter()
    for item in items:
        if any(item.path.is_relative_to(ROOT / folder) for folder in _MANY):
            bench = item.nodeid.partition("[")[0]
            if seen[bench] % _QUICK:
                item.add_marker(pytest.mark.slow)
            seen[bench] += 1
