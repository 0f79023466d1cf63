"""Verilog by others with the names of a design: its modules and its macros get a prefix.

So a second accelerator, or a SoC that uses the same source under the names of its author, can be
read together with it.
"""

import re

_MODULE = re.compile(r"^\s*module\s+(\w+)", re.MULTILINE)
_BEFORE_MACRO = r"`(?:ifdef|ifndef|elsif|define|undef)\s+"
_MACRO = re.compile(rf"{_BEFORE_MACRO}(\w+)")
_TIMESCALE = re.compile(r"^`timescale\b.*\n", re.MULTILINE)


def with_own_names(text: str, prefix: str) -> str:
    """The text with `prefix` and an underscore before the names of all its modules and macros.

    Macros that only its conditions name are among them: a neighbour's FORMAL switches nothing here.
    The time scale goes, because it would reach into the files that are read after this one.
    """
    modules, macros = (
        "|".join(sorted(set(names.findall(text)))) or "(?!)" for names in (_MODULE, _MACRO)
    )
    text = re.sub(rf"\b({modules})\b", rf"{prefix}_\1", text)
    text = re.sub(rf"({_BEFORE_MACRO}|`)({macros})\b", rf"\1{prefix}_\2", text)
    return f"// Modules and macros renamed by rowforge.\n{_TIMESCALE.sub('', text)}"
