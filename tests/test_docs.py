"""The pages keep their word: links and anchors resolve, and what they name in the code exists."""

import importlib
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from compiler.mapper.folding import fold_run
from compiler.mapper.space import ConvShape, Fold, Run
from rowforge.cli import COMMANDS, build_parser
from tests.support.packages import ROOT, SHIPPED, UNSHIPPED

DECISIONS = ROOT / "docs" / "decisions"
FOLDERS = (*SHIPPED, *UNSHIPPED, "docs")

RESULT_PAGES = ("docs/layers.md",)
MOST_COLUMNS = 8

_SKIPPED = {"build", "dist", "rowforge-demo"}
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_PATH = re.compile(rf"({'|'.join(FOLDERS)})/[\w./-]*")
_MODULE = re.compile(rf"({'|'.join(FOLDERS)})(\.\w+)+")
_SUFFIXES = {"py", "md", "toml", "json", "h", "c", "v", "svg", "txt"}


def pages() -> list[Path]:
    return sorted(
        path
        for path in ROOT.rglob("*.md")
        if not any(
            part in _SKIPPED or part.startswith(".") or part.endswith(".egg-info")
            for part in path.relative_to(ROOT).parts
        )
    )


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    found: Counter[str] = Counter()
    result = set()
    for heading in re.findall(r"^#+ +(.+?) *$", _FENCE.sub("", text), re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        result.add(f"{anchor}-{found[anchor]}" if found[anchor] else anchor)
        found[anchor] += 1
    return result


def broken_links(page: Path, text: str) -> list[str]:
    """Links of a page that lead to no file, or to no heading of it."""
    wrong = []
    for match in _LINK.finditer(_FENCE.sub("", text)):
        target, _, anchor = match["target"].partition("#")
        if re.match(r"[a-z]+:", match["target"]):
            continue
        there = (page.parent / target).resolve() if target else page
        if there != page and not (there.exists() and there.is_relative_to(ROOT)):
            wrong.append(match["target"])
        elif anchor:
            heads = text if there == page else there.read_text(encoding="utf-8")
            if there.suffix != ".md" or anchor not in anchors(heads):
                wrong.append(match["target"])
    return wrong


def exists(name: str) -> bool:
    """Whether a dotted name is a module, a package, or a member of one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:end])
        if base.with_suffix(".py").is_file() or (base / "__init__.py").is_file():
            found: object = importlib.import_module(".".join(parts[:end]))
            for member in parts[end:]:
                if not hasattr(found, member):
                    return False
                found = getattr(found, member)
            return True
        if base.is_dir():
            return end == len(parts)
    return False


def missing_names(text: str) -> list[str]:
    """Paths and modules of the project that a page names in code spans and that do not exist."""
    wrong = []
    for code in _CODE.findall(_FENCE.sub("", text)):
        for word in re.split(r"[\s,;:()\"']+", code):
            word = word.rstrip(".")
            if _PATH.fullmatch(word):
                if not (ROOT / word).exists():
                    wrong.append(word)
            elif _MODULE.fullmatch(word):
                is_file = word.rpartition(".")[2] in _SUFFIXES
                if not is_file and not exists(word):
                    wrong.append(word)
    return wrong


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_somewhere(page):
    assert broken_links(page, page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", [*DECISIONS.glob("*.md"), ROOT / "CONTRIBUTING.md"], ids=name_of)
def test_commands_can_be_typed(page):
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for code in _CODE.findall(_FENCE.sub("", text)):
        words = shlex.split(code) if code.startswith(("make ", "rowforge ")) else []
        if words[:1] == ["make"]:
            assert words[1] in targets, code
        elif words[2:]:
            build_parser().parse_args(words[1:])
        elif words:
            assert words[1] in COMMANDS, code


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_what_a_page_names_exists(page):
    assert missing_names(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_tables_can_be_read(page):
    """At most eight columns; pages of generated results may have more."""
    if name_of(page) in RESULT_PAGES:
        return
    text = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page.read_text(encoding="utf-8")))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert [row for row in rows if row.count("|") > MOST_COLUMNS + 1] == []


def test_what_the_code_says_of_pages_is_true():
    """Pages that the sources name exist, and so do the headings that they quote."""
    seen, wrong = set(), []
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        text = " ".join(path.read_text(encoding="utf-8").split())
        for page, heading in re.findall(r'\bdocs/([\w/-]+\.md)`?(?:, "([^"]+)")?', text):
            there = ROOT / "docs" / page
            seen.add((page, heading))
            if not there.exists() or (heading and f"# {heading}\n" not in there.read_text("utf-8")):
                wrong.append(f"{name_of(path)}: docs/{page} {heading}")
    assert wrong == []
    assert ("architecture.md", "Ifmaps of a pass") in seen


def test_pages_are_found():
    names = {name_of(page) for page in pages()}
    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/extending.md"} <= names


def test_broken_links_are_seen():
    page = ROOT / "docs" / "page.md"
    text = """# A page: `code` and more

[a](architecture.md) [b](architecture.md#letters) [c](#a-page-code-and-more) [d](../README.md)
[e](https://example.org/x) [1](nothing.md) [2](architecture.md#nothing) [3](#nothing)
[4](datapath.svg#letters) [5](../../x)

```
[f](nothing.md)
```
"""
    assert broken_links(page, text) == [
        "nothing.md",
        "architecture.md#nothing",
        "#nothing",
        "datapath.svg#letters",
        "../../x",
    ]


def test_equal_headings_have_anchors_of_their_own():
    assert anchors("# Two\n\n## Two\n\n```\n# none\n```\n") == {"two", "two-1"}


@pytest.mark.parametrize("name", ["hw/nothing/", "compiler/none.py", "hw.pe.pe.None", "sim.x"])
def test_missing_names_are_seen(name):
    assert missing_names(f"See `{name}`, `hw/pe/` and `hw.pe.pe.PE`.") == [name]
    assert missing_names(f"Type `python -m tests.campaigns.nothing {name}`") == [
        "tests.campaigns.nothing",
        name,
    ]


def test_the_drawing_of_folding_is_what_the_mapper_does():
    """Two units of six pairs on four rows, as the architecture page draws them."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn: list[list[tuple[int, ...]]] = [[], [], []]
    for line in re.findall(r"^row \d .*$", text, re.MULTILINE):
        places = re.findall(r"unit (\d), group (\d), row (\d)", line)
        for column, place in zip(drawn, places, strict=True):
            column.insert(0, tuple(map(int, place)))
    shape = ConvShape(N=1, M=2, C=2, E=3, F=3, R=3, S=3)
    fold = Fold(q=1, span=3, um=2, runs=(Run(first=0, groups=2),))
    passes = fold_run(shape, fold, fold.runs[0], 4)
    assert [[(item.um, item.group, item.row) for item in one.items] for one in passes] == drawn
    assert [len(one.chains) for one in passes] == [1, 2, 1]


def test_every_decision_is_in_the_index():
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\d{3})\]\(([^)]+)\) \| (.+) \|$", index, re.MULTILINE)
    assert [name for _, name, _ in listed] == sorted(
        path.name for path in DECISIONS.glob("*.md") if path.name != "README.md"
    )
    for count, (number, name, title) in enumerate(listed, 1):
        text = (DECISIONS / name).read_text(encoding="utf-8")
        assert int(number) == count
        assert name.startswith(f"{number}-")
        assert text.splitlines()[0] == f"# {number}: {title}"
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
            "Context",
            "Choice",
            "Figure",
            "Rejected",
        ]
