"""What the site consists of: the sections of docs/README.md with the pages that they link to."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START = Path("docs") / "README.md"
"""The first page, in the repository as on the site: its sections are the site's."""

REFERENCE = "Reference"
"""The section that the generated pages join."""

_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#\s]+\.(?:md|ipynb))(?:#[^)]*)?\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Section:
    """A heading of the first page and the pages below it, as paths from the project's folder."""

    title: str
    pages: tuple[Path, ...]


def links(page: Path) -> list[Path]:
    """The pages and notebooks that a page links to, as paths from the project's folder."""
    text = _FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    return _resolved(page, text)


def sections() -> list[Section]:
    """The sections of the first page, in order; what stands above its headings has no title."""
    text = (ROOT / START).read_text(encoding="utf-8")
    parts = ["", *_HEADING.split(text)]
    return [
        Section(title, tuple(dict.fromkeys(_resolved(START, body))))
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    ]


def tree() -> dict[Path, Path]:
    """All pages of the site that the repository has but the first, each with the page above it.

    Above the pages of a section is the first page; above another one the README that links to it,
    else the first page that does.
    """
    above = {page: START for section in sections() for page in section.pages if page != START}
    left = list(above)
    while left:
        page = next((page for page in left if page.name == "README.md"), left[0])
        left.remove(page)
        for other in links(page) if page.suffix == ".md" else []:
            if other != START and other not in above:
                above[other] = page
                left.append(other)
    return above


def files(page: Path) -> list[Path]:
    """What a page links to that is no page: pictures, results, sources."""
    text = _FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)#\s]+)\)", text)
    found = [
        (ROOT / page.parent / target).resolve()
        for target in targets
        if not re.match(r"[a-z]+:", target) and not target.endswith((".md", ".ipynb"))
    ]
    return [path.relative_to(ROOT) for path in found if path.is_file()]


def _resolved(page: Path, text: str) -> list[Path]:
    found = []
    for target in _LINK.findall(text):
        if not re.match(r"[a-z]+:", target):
            there = (ROOT / page.parent / target).resolve()
            if there.is_relative_to(ROOT):
                found.append(there.relative_to(ROOT))
    return found
