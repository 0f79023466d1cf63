"""The report page in a headless Chromium: tabs, a sorted table, the schedule, no complaints."""

from pathlib import Path

import pytest

from rowforge.page.render import TABS
from tests.support.browser import browser, missing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}"),
]

CELLS = """return [...document.querySelector("table.sortable").tBodies[0].rows]
    .map((row) => row.cells[4].dataset.value)"""
SHOWN = """return [...document.querySelectorAll('[role="tabpanel"]')]
    .filter((panel) => panel.offsetHeight > 0).map((panel) => panel.id)"""


def test_a_browser_shows_every_part(page: Path):
    with browser() as session:
        session.open(page.as_uri())
        assert session.run(SHOWN) == ["metrics"]
        for name, _ in TABS:
            session.run(f"document.getElementById('tab-{name}').click()")
            assert session.run(SHOWN) == [name]
            # pictures have a size, and nothing but what scrolls by itself is wider than the window
            assert session.run(
                f"return [...document.querySelectorAll('#{name} svg')]"
                ".every((svg) => svg.getBoundingClientRect().height > 50)"
            )
            assert session.run("return document.body.scrollWidth <= window.innerWidth")
        sort = "document.querySelectorAll('table.sortable th button')[4].click()"
        for turned in (False, True):
            session.run(sort)
            values = [int(value) for value in session.run(CELLS) if value]
            assert len(values) > 5 and values == sorted(values, reverse=not turned)
        assert session.run(CELLS)[-1] == ""  # layers without cycles come last

        session.run("document.getElementById('tab-schedule').click()")
        range_of = "return document.querySelector('.schedule output').textContent"
        assert session.run(range_of) == "cycles 0 to 6,549"
        session.run("document.querySelector('.schedule button[data-do=in]').click()")
        assert session.run(range_of) == "cycles 1,637 to 4,912"
        press = "dispatchEvent(new KeyboardEvent('keydown', {key: '0', bubbles: true}))"
        session.run(f"document.querySelector('.stage').{press}")
        assert session.run(range_of) == "cycles 0 to 6,549"

        press = press.replace("'0'", "'ArrowRight'")
        session.run(f"document.getElementById('tab-schedule').{press}")
        assert session.run(SHOWN) == ["bounds"]
        session.run("document.querySelector('input[value=energy]').click()")
        assert session.run("return document.getElementById('network').dataset.by") == "energy"
        assert session.complaints() == []
