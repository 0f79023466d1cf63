"""Docstrings as they are written here, made into what Sphinx reads.

They are plain text in NumPy's sections. Sphinx reads them as reStructuredText, in which three
habits mean something else: a drawing is an indented block, a list of names has entries of several
lines without blank lines between them, and bars stand for magnitudes.
"""

import re
from collections.abc import Sequence

_RULE = re.compile(r"-{3,}$")
_DRAWN = re.compile(r"\S {2,}\S|[│─┌└▲►▼]|^ *\S+$")
_ENTRY = 4  # spaces by which the text of an entry is indented
_PROSE = ("Timing", "Rules", "Notes")  # sections without entries
_DIRECTIVE = ("..", ":", ">>>", "* ", "- ")


def prepared(lines: Sequence[str]) -> list[str]:
    """The lines with drawings marked as such, lists of names as lists, and bars as bars."""
    found: list[str] = []
    section = False  # of entries, as NumPy has them
    for paragraph in _paragraphs(lines):
        heading = len(paragraph) > 1 and _RULE.match(paragraph[1].strip()) is not None
        if heading:
            section = paragraph[0].strip() not in _PROSE
        elif section and _is_prose(paragraph):
            section = False
            found.append("")  # a second blank line, which ends the section
        indent = _indent(paragraph[0])
        if indent and any(_DRAWN.search(line.strip()) for line in paragraph) and not section:
            if found and found[-2:] != ["::", ""]:
                found += ["::", ""]
            found += paragraph
        elif heading or section:
            found += _joined(paragraph)
        else:
            found += _listed([_plain(line) for line in paragraph])
        found.append("")
    return found


def _paragraphs(lines: Sequence[str]) -> list[list[str]]:
    """Runs of lines that are not blank; a drawing with blank lines in it is one."""
    found: list[list[str]] = []
    before = ""
    for line in lines:
        if line.strip():
            if not found or not before.strip():
                found.append([])
            found[-1].append(line)
        before = line
    merged: list[list[str]] = []
    for paragraph in found:
        drawn = all(_indent(line) for line in paragraph)
        if merged and drawn and all(_indent(line) for line in merged[-1]):
            merged[-1] += ["", *paragraph]
        else:
            merged.append(paragraph)
    return merged


def _is_prose(paragraph: Sequence[str]) -> bool:
    """Whether a paragraph after a section's entries is none of them."""
    return not any(_indent(line) for line in paragraph) and " : " not in paragraph[0]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _plain(line: str) -> str:
    """A line whose bars outside code are only bars."""
    parts = line.split("`")
    parts[::2] = [part.replace("|", "\\|") for part in parts[::2]]
    return "`".join(parts)


def _joined(paragraph: Sequence[str]) -> list[str]:
    """Entries of a section, the type of each on one line."""
    found: list[str] = []
    for line in map(_plain, paragraph):
        if found and _indent(line) >= 2 * _ENTRY and not _indent(found[-1]):
            found[-1] += f" {line.strip()}"
        else:
            found.append(line)
    return found


def _listed(paragraph: Sequence[str]) -> list[str]:
    """A paragraph of entries whose further lines are indented: a list, an item for each."""
    base = _indent(paragraph[0])
    entries: list[str] = []
    for line in paragraph:
        if _indent(line) > base and entries:
            entries[-1] += f" {line.strip()}"
        else:
            entries.append(line.strip())
    several = 1 < len(entries) < len(paragraph)
    if not several or paragraph[0].strip().startswith(_DIRECTIVE):
        return list(paragraph)
    return [f"{' ' * base}* {entry}" for entry in entries]
