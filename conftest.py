"""What `make test-quick` leaves out besides the tests that are slow one by one."""

from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
# Folders of benches with hundreds of cases of a second or two, all of one kind.
_MANY = ("tests/tb", "tests/hw", "tests/campaigns/damage")
_QUICK = 16  # of so many cases of a bench one runs


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seen: Counter[str] = Counter()
    for item in items:
        if any(item.path.is_relative_to(ROOT / folder) for folder in _MANY):
            bench = item.nodeid.partition("[")[0]
            if seen[bench] % _QUICK:
                item.add_marker(pytest.mark.slow)
            seen[bench] += 1
