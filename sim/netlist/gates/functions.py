"""Functions of standard cells, as liberty files write them, as tables of bits."""

import re
from collections.abc import Sequence

from hw.arch.errors import RowforgeError

MOST_INPUTS = 6
"""Of a table: it has 64 bits."""

_TOKEN = re.compile(r"\s*([A-Za-z_]\w*|[01]|[()!'^&*|+])")
_STARTS = re.compile(r"[A-Za-z_01(!]")


def truth_table(function: str, pins: Sequence[str]) -> int:
    """A function as a number: bit i is its value where bit j of i is the value of pin j.

    Parameters
    ----------
    function : str
        Names, 0, 1, brackets, `!x`, `x'`, and in the order in which they bind: `^`, then `&`, `*`
        or nothing between two operands, then `|` or `+`.
    pins : sequence of str
        At most `MOST_INPUTS` names.

    Raises `RowforgeError` for a function that is none, names other pins, or has too many of them.
    """
    if len(pins) > MOST_INPUTS:
        raise RowforgeError(f"function of a cell must have at most 6 inputs, not {len(pins)}")
    return _Parser(function, pins).table()


def names_in(function: str) -> list[str]:
    """The names in a function, each once, in their order."""
    return list(dict.fromkeys(re.findall(r"[A-Za-z_]\w*", function)))


class _Parser:
    """Recursive descent; every value is a table over all pins."""

    def __init__(self, function: str, pins: Sequence[str]):
        self._function = function
        self._ones = (1 << (1 << len(pins))) - 1
        self._tables = {
            pin: sum(1 << i for i in range(1 << len(pins)) if i >> place & 1)
            for place, pin in enumerate(pins)
        }
        self._tables |= {"0": 0, "1": self._ones}
        self._tokens = _TOKEN.findall(function)
        if "".join(self._tokens) != re.sub(r"\s", "", function):
            raise self._wrong()
        self._at = 0

    def table(self) -> int:
        found = self._sum()
        if self._at != len(self._tokens):
            raise self._wrong()
        return found

    def _wrong(self) -> RowforgeError:
        return RowforgeError(f"cannot read the function {self._function!r} of a cell")

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _sum(self) -> int:
        found = self._product()
        while self._peek() in ("|", "+"):
            self._at += 1
            found |= self._product()
        return found

    def _product(self) -> int:
        found = self._difference()
        while self._peek() in ("&", "*") or _STARTS.match(self._peek()):
            if self._peek() in ("&", "*"):
                self._at += 1
            found &= self._difference()
        return found

    def _difference(self) -> int:
        found = self._operand()
        while self._peek() == "^":
            self._at += 1
            found ^= self._operand()
        return found

    def _operand(self) -> int:
        token = self._next()
        if token == "!":
            return self._ones ^ self._operand()
        if token == "(":
            found = self._sum()
            if self._next() != ")":
                raise self._wrong()
        elif token in self._tables:
            found = self._tables[token]
        else:
            raise self._wrong()
        while self._peek() == "'":
            self._at += 1
            found ^= self._ones
        return found
