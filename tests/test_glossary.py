"""Every letter and word is defined once in docs/glossary.md, with a place where it is at home."""

import re

import pytest

from tests.support.packages import ROOT
from tests.test_docs import broken_links, missing_names

PAGE = ROOT / "docs" / "glossary.md"

LETTERS = set("NMCGHWRSEFU") | set("mnepqrt") | set("LKijk")
FIELD = {
    "activation", "GIN", "GLB", "GON", "MAC", "NoC", "PE", "X bus", "Y bus", "bank", "depthwise",
    "diagonal reuse", "dilation", "filter", "folding", "ifmap", "multicast", "ofmap", "pass",
    "psum", "requantisation", "row stationary", "spad", "tag", "tap", "window", "zero gating",
    "zero point",
}  # fmt: skip
OURS = {
    "access", "band", "bases", "beat", "block", "box", "chain", "channel block", "chunk", "command",
    "descriptor", "device", "engine", "entry", "fence", "fold", "frame", "golden model", "group",
    "head", "hold", "host step", "item", "lane", "link", "link word", "mapping", "nest", "older",
    "operation", "pair", "pass table", "pattern", "plan", "plane", "preset", "program",
    "psum group", "raw", "record", "resident", "round", "run", "segment", "session", "slot",
    "state", "step", "stored", "surface", "sync", "tail", "tile", "transport", "unit", "wave",
}  # fmt: skip


def rows(text: str) -> list[list[str]]:
    """The cells of every table row below its heading."""
    found = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|") and not line.startswith("|---")
    ]
    return [row for row in found if row[-1] != "at home"]


def faults(text: str) -> list[str]:
    """Words that are not defined as they should be: once, in one or two sentences, at home."""
    wrong, seen = [], set()
    for row in rows(text):
        word = row[0]
        if len(row) != 3:
            wrong.append(f"{word}: not three cells")
            continue
        _, meaning, home = row
        sentences = len(re.findall(r"[\w`)}]\.(?= [A-Z]|$)", meaning))
        if word in seen:
            wrong.append(f"{word}: twice")
        if not meaning.endswith(".") or not 1 <= sentences <= 2:
            wrong.append(f"{word}: {sentences} sentences")
        if not re.fullmatch(r"\[[^\]]+\]\([^)]+\)|`\w+[./][\w./]+`", home):
            wrong.append(f"{word}: no home")
        seen.add(word)
    return wrong


def test_letters_and_words_are_defined():
    words = {row[0] for row in rows(PAGE.read_text(encoding="utf-8"))}
    assert (LETTERS | FIELD | OURS) - words == set()


def test_definitions_are_short_and_have_a_home():
    text = PAGE.read_text(encoding="utf-8")
    assert faults(text) == []
    assert broken_links(PAGE, text) == []
    assert missing_names(text) == []


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_the_glossary_is_linked(page):
    target = "glossary.md" if page.startswith("docs/") else "docs/glossary.md"
    assert f"]({target})" in (ROOT / page).read_text(encoding="utf-8")


def test_a_fault_is_found():
    head = "| word | meaning | at home |\n|---|---|---|\n"
    assert faults(head + "| a | Good. | `hw/pe/pe.py` |\n") == []
    bad = {
        "| a | No stop | `hw/pe/pe.py` |": "a: 0 sentences",
        "| a | One is. Two is. Three is. | `hw/pe/pe.py` |": "a: 3 sentences",
        "| a | Good. | somewhere |": "a: no home",
        "| a | Good. | `hw` |": "a: no home",
        "| a | Good. |": "a: not three cells",
        "| b | Good. | `hw/pe` |\n| b | Good. | `hw/pe` |": "b: twice",
    }
    for row, fault in bad.items():
        assert fault in faults(f"{head}{row}\n")
