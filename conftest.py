"""What `make test-quick` leaves out, what runs first, and which tests keep nothing of searches."""

import gc
from collections import Counter
from collections.abc import Generator
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
# Tests of half a minute, which must not begin when other processes have nothing left to do.
_FIRST = (
    "tests/test_wheel.py",
    "tests/rowforge/chip/test_study.py",
    "tests/tb/test_axi.py",
    "tests/rowforge/test_testbench.py",
    "tests/rowforge/commands/test_generate.py",
)
_QUICK = 16  # of so many cases of a bench one runs
_OBJECTS_BETWEEN_COLLECTIONS = 100_000  # as the commands have it


def pytest_configure() -> None:
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


@pytest.hookimpl(wrapper=True)  # also around fixtures of whole modules
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if not any(item.path.is_relative_to(ROOT / place) for place in _SEARCHED_ANEW):
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("compiler.cache.kept.cache_folder", lambda: None)
        return (yield)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not any(item.path == ROOT / file for file in _FIRST))
    seen: Counter[str] = Counter()
    for item in items:
        if any(item.path.is_relative_to(ROOT / folder) for folder in _MANY):
            bench = item.nodeid.partition("[")[0]
            if seen[bench] % _QUICK:
                item.add_marker(pytest.mark.slow)
            seen[bench] += 1
