"""The pool of an exported program: words at positions that records name."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.arch.errors import RowforgeError
from hw.arch.fields import Struct
from hw.arch.program import Words
from hw.arch.program.layout import to_link_words
from sw_driver.c.records import (
    C_HOST,
    C_PARAMETER,
    LONGEST_NAME,
    NO_INTEGER,
    ParameterKind,
)

_WORD = (1 << 64) - 1
_NUMBERS = (int, float, np.integer, np.floating)


class WordPool:
    """Words that are added one lot after another.

    Parameters
    ----------
    start : int
        Position of the first word.
    """

    def __init__(self, start: int):
        self._start = start
        self._parts: list[Words] = []
        self._words = 0
        self._texts: dict[str, int] = {}

    @property
    def words(self) -> Words:
        """All words, in order."""
        return np.concatenate([np.zeros(0, dtype=np.uint64), *self._parts])

    def add(self, words: Words | Sequence[int]) -> int:
        """The position of these words."""
        position = self._start + self._words
        self._parts.append(np.asarray(words, dtype=np.uint64))
        self._words += len(words)
        return position

    def add_record(self, record: Struct, values: Mapping[str, int]) -> int:
        """The position of a record."""
        return self.add(record.pack(values))

    def add_array(self, array: NDArray[Any]) -> int:
        """The position of an array's elements, as little-endian bytes in order."""
        return self.add(to_link_words(array.astype(array.dtype.newbyteorder("<"))))

    def add_text(self, text: str) -> int:
        """The position of a text; equal texts share one."""
        if text not in self._texts:
            self._texts[text] = self.add(to_link_words(text.encode() + b"\0"))
        return self._texts[text]

    def add_name(self, name: str) -> int:
        """The position of a name, which must be short; `RowforgeError` if it is not."""
        if len(name.encode()) > LONGEST_NAME:
            raise RowforgeError(
                f"a name of a host step must have at most {LONGEST_NAME} bytes, not {name!r}"
            )
        return self.add_text(name)

    def add_host_step(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        parameters: Mapping[str, object],
    ) -> int:
        """The position of a host step with its parameters.

        Raises `RowforgeError` for a parameter that has no form here.
        """
        entries = [self._parameter(key, value) for key, value in flat(parameters).items()]
        position = self.add_record(
            C_HOST,
            {
                "name": self.add_name(name),
                "inputs": len(inputs),
                "outputs": len(outputs),
                "parameters": len(entries),
            },
        )
        self.add([*inputs, *outputs])
        for entry in entries:
            self.add_record(C_PARAMETER, entry)
        return position

    def _parameter(self, name: str, value: object) -> dict[str, int]:
        entry = {"name": self.add_name(name)}
        if value is None:
            return {**entry, "kind": ParameterKind.NOTHING}
        if isinstance(value, str):
            return {**entry, "kind": ParameterKind.TEXT, "count": 1, "first": self.add_text(value)}
        values = list(value) if isinstance(value, list | tuple) else [value]
        values = [NO_INTEGER if item is None else item for item in values]
        integers = [int(item) for item in values if isinstance(item, int | np.integer)]
        reals = [float(item) for item in values if isinstance(item, _NUMBERS)]
        if len(reals) < len(values):
            raise RowforgeError(f"parameter {name} of a host step must be numbers, not {value!r}")
        if len(integers) == len(values):
            kind, words = ParameterKind.INTEGERS, [item & _WORD for item in integers]
        else:
            kind, words = ParameterKind.REALS, [real_bits(item) for item in reals]
        return {**entry, "kind": kind, "count": len(values), "first": self.add(words)}


def real_bits(value: float) -> int:
    """The bits of a double."""
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def flat(parameters: Mapping[str, object]) -> dict[str, object]:
    """Parameters without lists in lists.

    A list of lists becomes one list, and their lengths another, whose name ends in `.lengths`.
    """
    found: dict[str, object] = {}
    for name, value in parameters.items():
        if isinstance(value, list | tuple) and any(isinstance(x, list | tuple) for x in value):
            found[name] = [item for part in value for item in part]
            found[f"{name}.lengths"] = [len(part) for part in value]
        else:
            found[name] = value
    return found
