"""CONV commands: what is in their descriptors, and what they leave out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from compiler.stream.hazards import Wait
from compiler.stream.resident import NOTHING, Filters
from hw.arch.commands import BASES, CONSTANTS, LOOP, LOOPS, START, Opcode, command
from hw.arch.config import Config
from hw.arch.program import Words
from hw.arch.program.transfer import shorter_code

_FLAGS = {
    name: np.array(CONSTANTS.pack({name: 1}), dtype=np.uint64)
    for name in ("sync", "resident", "buffered")
}


@dataclass(frozen=True)
class Nest:
    """Records of a CONV command, packed: constants, then bases and all six loops."""

    constants: Words
    tail: Sequence[int]

    def flagged(self, name: str) -> "Nest":
        """With this flag of the constants."""
        return replace(self, constants=self.constants | _FLAGS[name])

    @property
    def loops(self) -> list[list[int]]:
        """LOOP records from the innermost one on, as far as loops have several iterations."""
        records = [
            list(self.tail[begin : begin + LOOP.words])
            for begin in range(BASES.words, BASES.words + LOOPS * LOOP.words, LOOP.words)
        ]
        while records and LOOP.unpack(records[0])["count"] == 1:
            del records[0]
        return records[::-1]

    def descriptor(self, before: "Nest | None", decoded: int = 0) -> list[int]:
        """The descriptor after a CONV with the records `before`, which may stay.

        `decoded`: of START.
        """
        begin = {**BASES.unpack(self.tail), "decoded": decoded}
        if before is not None and self._inherits(before):
            return START.pack(begin)
        loops = self.loops
        start = START.pack({**begin, "loops": len(loops), "constants": 1})
        return [*start, *self.constants.tolist(), *(word for loop in loops for word in loop)]

    def _inherits(self, before: "Nest") -> bool:
        """Constants and loops are those of `before`."""
        same = list(self.tail[BASES.words :]) == list(before.tail[BASES.words :])
        return same and bool((self.constants == before.constants).all())


@dataclass(frozen=True, kw_only=True, eq=False)
class ConvCommand:
    """A CONV command of a program.

    `filters` is None in a dry stream, or where they lie in the global buffer; `length` counts their
    words on the link. `hidden`: the array computes while its descriptor is moved. `code`: of the
    filters, if the link carries it in their place.
    """

    nest: Nest
    filters: Filters | None
    length: int
    wait: Wait
    layer: int
    hidden: bool
    code: Words | None = None

    def placed(self, first: int | None) -> "ConvCommand":
        """The command with its filters in the weight memory from word `first` on, if it is one."""
        if first is None or self.filters is None:
            return self
        tail = self.filters.descriptor(self.nest.tail, first)
        nest = replace(self.nest.flagged("resident"), tail=tail)
        return replace(self, nest=nest, filters=None, length=0)

    def coded(self, config: Config) -> "ConvCommand":
        """The command with its filters as a code, if that is shorter."""
        code = None if self.filters is None else shorter_code(config, self.filters.words)
        return replace(self, code=code)

    def head(self, before: Nest | None) -> Words:
        """Header and descriptor after a CONV with the records `before`."""
        words = command(
            Opcode.CONV,
            self.nest.descriptor(before, 0 if self.code is None else self.length),
            length=self.sent,
            tag=self.layer,
            **self.wait.flags(),
        )
        return np.array(words, dtype=np.uint64)

    @property
    def sent(self) -> int:
        """Words that the link carries after the descriptor."""
        return self.length if self.code is None else len(self.code)

    @property
    def payload(self) -> Words:
        """The filters or their code, as far as the link carries them."""
        if self.code is not None:
            return self.code
        return NOTHING if self.filters is None else self.filters.words
