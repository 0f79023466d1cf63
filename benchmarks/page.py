"""The pages of figures: prose by hand, tables between marks that only this module writes."""

import re
from collections.abc import Mapping

from benchmarks.results import ROOT

PAGES = tuple(ROOT / "docs" / name for name in ("performance.md", "layers.md", "energy.md"))
_MARKED = re.compile(r"<!-- table: (?P<name>[^>]+?) -->\n.*?<!-- end -->", re.DOTALL)


def render(page: str, tables: Mapping[str, str]) -> str:
    """The page with every marked table replaced by the one of that name.

    Raises `KeyError` for a mark without a table and `ValueError` for a table without a mark.
    """
    missing = set(tables) - set(marks(page))
    if missing:
        raise ValueError(f"no mark for the tables {', '.join(sorted(missing))}")

    def replaced(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- table: {name} -->\n{tables[name]}\n<!-- end -->"

    return _MARKED.sub(replaced, page)


def render_all(tables: Mapping[str, str]) -> list[str]:
    """The text of every page of `PAGES`, each table in the page that has a place for it.

    Raises `KeyError` for a mark without a table and `ValueError` for a table without a mark.
    """
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    placed = [{name: tables[name] for name in marks(text)} for text in texts]
    if missing := set(tables) - {name for part in placed for name in part}:
        raise ValueError(f"no mark for the tables {', '.join(sorted(missing))}")
    return [render(text, part) for text, part in zip(texts, placed, strict=True)]


def marks(page: str) -> list[str]:
    """Names of the tables that the page has places for."""
    return [match["name"] for match in _MARKED.finditer(page)]
