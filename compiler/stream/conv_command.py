"""CONV commands before it is known where their filters are: `ConvCommand`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.stream.hazards import Wait
from compiler.stream.resident import NOTHING, Filters
from hw.arch.commands import CONSTANTS, Opcode, command
from hw.arch.program import Words


@dataclass(frozen=True)
class Nest:
    """Records of a CONV command, packed: constants but for `sync`, then bases and loops."""

    constants: Words
    tail: Sequence[int]


SYNC, _RESIDENT, BUFFERED = (
    np.array(CONSTANTS.pack({name: 1}), dtype=np.uint64)
    for name in ("sync", "resident", "buffered")
)
"""Bits of packed constants."""


@dataclass(frozen=True)
class ConvCommand:
    """A CONV command until it is known whether its filters stay in the weight memory.

    `filters` is None in a dry stream, or where they lie in the global buffer; `length` counts their
    words on the link.
    """

    constants: Words
    tail: Sequence[int]
    filters: Filters | None
    length: int
    wait: Wait
    layer: int

    def words(self, first: int | None) -> Words:
        """Header, descriptor and, unless they are in memory from word `first` on, the filters."""
        constants, tail, length, payload = self.constants, self.tail, self.length, NOTHING
        if first is not None and self.filters is not None:
            constants, length = constants | _RESIDENT, 0
            tail = self.filters.descriptor(tail, first)
        elif self.filters is not None:
            payload = self.filters.words
        header = command(
            Opcode.CONV,
            [*constants.tolist(), *tail],
            length=length,
            tag=self.layer,
            **self.wait.flags(),
        )
        return np.concatenate([np.array(header, dtype=np.uint64), payload])
