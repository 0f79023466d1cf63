"""The name of a design, with which the names of all its modules, files and macros begin."""

import re

from hw.arch.errors import RowforgeError
from hw.base.rtlil_text import RESERVED_WORDS

PREFIX = "rowforge"
"""That of a design whose user has not given another."""

LONGEST = 24
"""Characters; with the longest of our names after it, a macro has no more than C compares, 63."""

# Two underscores in a row are what separates the parts of a name below it, and in C such names and
# those that begin with an underscore are the compiler's own.
_FORM = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*\Z")


def check_prefix(name: str) -> None:
    """Refuse, by `RowforgeError`, what cannot begin names in Verilog, C, FuseSoC and IP-XACT."""
    if not _FORM.match(name) or len(name) > LONGEST:
        raise RowforgeError(
            f"prefix must be 1 to {LONGEST} letters, digits and single underscores that begin with "
            f"a letter and do not end with an underscore, not {name!r}"
        )
    if name in RESERVED_WORDS or name == "std":  # SystemVerilog's own package
        raise RowforgeError(f"prefix must not be a word that Verilog reserves, as {name!r} is")
