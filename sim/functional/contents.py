"""What every buffer word holds, as the steps of a program name it.

Hazards see when a word is read; they do not see that it holds something else than the reader wants.
A program's LOAD steps name the tensor and the box that they bring, and a header's tag names the
layer that computes. So each word is known to hold an item of a tensor, laid out from some origin
with some strides, filters of some layer, which a LOAD brings that is no step of its own, or a
result of some layer. A command that reads an operand reads one such
thing: if a part overran its slot and the next part took its last words, it reads two.
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from hw.arch.commands import BEGIN, HEADER, START, Opcode, descriptor_words
from hw.arch.config import Config
from hw.arch.program import Load, Program, Send
from hw.arch.program.layout import Ints, box_shape, channel_blocks
from sim.functional.errors import require

Holding: TypeAlias = tuple[object, ...]  # what equal words have in common

_NOTHING = 0


class Contents:
    """What the words of the buffer hold while a program runs.

    Parameters
    ----------
    config : Config
    program : Program
        Whose LOAD steps are executed in order, once for every input.
    """

    def __init__(self, config: Config, program: Program):
        self._config = config
        self._names = [spec.name for spec in program.tensors]
        self._loads = list(_loads(program))
        self._held = np.full(config.buffer.banks * config.buffer.depth, _NOTHING, dtype=np.int64)
        self._numbers: dict[Holding, int] = {}
        self._holdings: list[Holding] = [("nothing of this program",)]
        self._next = 0  # the LOAD that comes next
        self._layer = 0  # tag of the present command
        self._seen: dict[str, tuple[int, int]] = {}  # operand: (word, number of what it holds)

    def begin(self) -> None:
        """A program begins: what an earlier one left counts as nothing."""
        self._held.fill(_NOTHING)
        self._next = 0

    def command(self, tag: int) -> None:
        """A command begins, of the layer with this tag."""
        self._layer = tag
        self.renew()

    def renew(self) -> None:
        """Operands may be others than before: the next pass of a CONV may read the next item."""
        self._seen.clear()

    # ---- writes -------------------------------------------------------------------------------

    def load(self, address: Ints, region: dict[str, int]) -> None:
        """The next LOAD of the program writes these words."""
        require(self._next < len(self._loads), "the program has no LOAD step for this command")
        step = self._loads[self._next]
        self._next += 1
        if step is None:
            self._held[address] = self._number(("filters", self._layer))
            return
        box, lanes = step.box, self._config.lanes
        items, _, _, channels = box_shape(box)
        row, plane = region["row_stride"], region["plane_stride"]
        block, lane = divmod(box.channels[0], lanes)
        corner = box.rows[0] * row + box.columns[0] + block * plane
        step_words = channel_blocks(self._config, channels) * plane
        for index, words in enumerate(address.reshape(items, -1)):
            origin = region["address"] + index * step_words - corner
            item = box.items[0] + index
            self._held[words] = self._number(
                ("tensor", step.tensor, item, origin, row, plane, lane)
            )

    def result(self, words: Ints) -> None:
        """The present command writes results."""
        self._held[words] = self._number(("result", self._layer))

    def psum(self, words: Ints) -> None:
        """Psums take these words."""
        self._held[words] = self._number(("psums",))

    def _number(self, holding: Holding) -> int:
        number = self._numbers.setdefault(holding, len(self._holdings))
        if number == len(self._holdings):
            self._holdings.append(holding)
        return number

    # ---- reads --------------------------------------------------------------------------------

    def read(self, operand: str, words: Ints) -> None:
        """The present command reads these words as (a part of) one operand."""
        if not words.size:
            return
        held, flat = self._held[words].reshape(-1), words.reshape(-1)
        first, number = self._seen.setdefault(operand, (int(flat[0]), int(held[0])))
        if number == _NOTHING:
            require(False, f"word {first} is read as {operand}, but the program never wrote it")
        other = np.flatnonzero(held != number)
        if other.size:
            word = int(flat[other[0]])
            require(
                False,
                f"{operand} is read from word {first}, which holds {self._text(number)}, and from "
                f"word {word}, which holds {self._text(int(held[other[0]]))}",
            )

    def _text(self, number: int) -> str:
        return _described(self._holdings[number], self._names)


def _loads(program: Program) -> Iterator[Load | None]:
    """The steps of the LOAD commands of a program, in order; None: filters, among other words."""
    for number, step in enumerate(program.steps):
        if isinstance(step, Load):
            yield step
        elif isinstance(step, Send):
            position = 0 if number else 1 + BEGIN.words
            while position < len(step.words):
                header = HEADER.unpack([int(step.words[position])])
                opcode = Opcode(header["opcode"])
                if opcode is Opcode.LOAD:
                    yield None
                following = step.words[position + 1 : position + 1 + START.words].tolist()
                position += 1 + descriptor_words(opcode, following) + header["length"]


def _described(holding: Holding, names: Sequence[str]) -> str:
    """A holding in words."""
    match holding:
        case ("tensor", int(tensor), item, origin, *_):
            return f"tensor {names[tensor]}, item {item}, laid out from word {origin} on"
        case ("filters", layer):
            return f"filters of layer {layer}"
        case ("result", layer):
            return f"a result of layer {layer}"
    return " ".join(map(str, holding))
