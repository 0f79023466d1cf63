"""Mappings and programs cost what the record says.

Results stay right when a mapping gets worse, so nothing else would notice. After a change that is
meant: `python -m tests.compiler.figures` rewrites the record; look at what differs.
"""

import json

import pytest

from tests.compiler import figures


@pytest.fixture(scope="module")
def now():
    return figures.measured()


@pytest.mark.parametrize("kind", ["mappings", "programs", "tilings"])
def test_costs_are_those_of_the_record(now, kind):
    recorded = json.loads(figures.RECORD.read_text())[kind]
    changed = {
        name: (recorded.get(name), now[kind].get(name))
        for name in {*recorded, *now[kind]}
        if recorded.get(name) != now[kind].get(name)
    }
    assert not changed, f"(recorded, now) differ; is that meant? {changed}"
