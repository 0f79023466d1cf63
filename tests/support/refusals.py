"""The form of a refusal: one sentence, or a heading and an indented line for each group."""

import re

_GROUP = re.compile(r"  (\d+ x \S.* \((operator|layer)s? .+\): .+|and \d+ more kinds)")
_MOST = 32


def well_formed(message: str) -> bool:
    """Whether a message is one line, or a heading with lines of groups after it."""
    heading, *groups = message.split("\n")
    if not groups:
        return bool(heading)
    several = heading.endswith(" cannot run:") and len(groups) < _MOST
    return several and all(_GROUP.fullmatch(line) for line in groups)
