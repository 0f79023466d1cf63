"""Which filters stay in the accelerator's weight memory, and where.

The candidates are the CONV commands. Commands with the same filters (tiles of a layer) share a
place; within a command, passes with the same filters (output rows, items) do. What saves most link
words a run for each word of memory goes first, until nothing more fits.

Every cluster has a memory of its own. Commands that clusters execute side by side have their
filters at the same place, each cluster its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np

from compiler.stream.loops import wrapped
from hw.arch.commands import BASES, LOOP, LOOPS
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.program import Words

NOTHING = np.zeros(0, dtype=np.uint64)


@dataclass(frozen=True, eq=False)
class Filters:
    """The filters of a CONV command.

    Attributes
    ----------
    counts : iterations of the nest's loops, outermost first, without loops of one iteration
    depends : for each of them, whether the filters change when it steps
    blocks : filters of the passes, one for each combination of the loops that they depend on, in
        the order of the nest
    held : innermost loops over which they stay in the PEs
    """

    counts: tuple[int, ...]
    depends: tuple[bool, ...]
    blocks: tuple[Words, ...]
    held: int = 0

    @cached_property
    def order(self) -> list[int]:
        """The block of every pass that is sent one."""
        sent = self.counts[: len(self.counts) - self.held]
        ranks = np.zeros(sent or (1,), dtype=np.int64)
        for axis, (count, step) in enumerate(zip(sent, self._steps(1), strict=False)):
            shape = [1] * len(sent)
            shape[axis] = count
            ranks = ranks + step * np.arange(count).reshape(shape)
        return [int(rank) for rank in ranks.reshape(-1)]

    @property
    def words(self) -> Words:
        """What the link carries if they are streamed."""
        return np.concatenate([NOTHING, *(self.blocks[index] for index in self.order)])

    @property
    def length(self) -> int:
        """Number of `words`."""
        return sum(len(self.blocks[index]) for index in self.order)

    @cached_property
    def image(self) -> Words:
        """What the weight memory holds: every block once, all as far apart as the longest is."""
        image = np.zeros((len(self.blocks), self._stride), dtype=np.uint64)
        for row, block in zip(image, self.blocks, strict=True):
            row[: len(block)] = block
        return image.reshape(-1)

    @cached_property
    def digest(self) -> bytes:
        """Of the image: equal images have equal ones."""
        return blake2b(self.image.tobytes(), digest_size=16).digest()

    @property
    def _stride(self) -> int:
        return max(len(block) for block in self.blocks)

    def _steps(self, stride: int) -> list[int]:
        """What each loop adds to the place of the filters, seen from outside."""
        steps, inner = [], stride
        for count, depends in zip(reversed(self.counts), reversed(self.depends), strict=True):
            steps.append(inner if depends else 0)
            inner *= count if depends else 1
        return steps[::-1]

    def descriptor(self, tail: Sequence[int], first: int) -> list[int]:
        """Bases and loops of the command with the filters at memory word `first`.

        tail : packed bases and loops of the command that streams them
        """
        bases = BASES.unpack(list(tail[: BASES.words]))
        result = BASES.pack({**bases, "weights": first})
        steps = [0] * (LOOPS - len(self.counts)) + self._steps(self._stride)
        counts = [1] * (LOOPS - len(self.counts)) + list(self.counts)
        for index in range(LOOPS):
            begin = BASES.words + index * LOOP.words
            loop = LOOP.unpack(list(tail[begin : begin + LOOP.words]))
            assert loop["count"] == counts[index]
            back = sum(
                (count - 1) * step
                for count, step in zip(counts[index + 1 :], steps[index + 1 :], strict=True)
            )
            moved = steps[index] - back if counts[index] > 1 else 0
            result += LOOP.pack({**loop, **wrapped({"weights": moved})})
        return result


@dataclass(frozen=True)
class FilterPlacement:
    """Where filters are kept.

    Attributes
    ----------
    first : by number of the CONV command, the memory word of its filters; others are streamed
    memory : contents of the weight memory, from word 0 on; those of all clusters one after another,
        equally long
    """

    first: Mapping[int, int]
    memory: Words


def place_filters(config: Config, commands: Sequence[Mapping[int, Filters]]) -> FilterPlacement:
    """Choose the filters that stay in the weight memory.

    Parameters
    ----------
    commands : sequence of mappings
        Of every CONV command of a program, in order, the filters by cluster.
    """
    room = config.buffer.weight_memory * 8 // LINK_WORD_BITS
    if not room:
        return FilterPlacement({}, NOTHING)
    groups: dict[tuple[tuple[int, bytes], ...], list[int]] = {}
    for number, each in enumerate(commands):
        if 0 < _size(each) <= room:
            key = tuple((cluster, filters.digest) for cluster, filters in sorted(each.items()))
            groups.setdefault(key, []).append(number)
    gains = {
        key: sum(_sent(commands[n]) for n in numbers) / _size(commands[numbers[0]])
        for key, numbers in groups.items()
    }
    first: dict[int, int] = {}
    used = 0
    images: list[tuple[int, int, Words]] = []  # cluster, first word, contents
    for key in sorted(groups, key=lambda key: (-gains[key], groups[key][0])):
        each = commands[groups[key][0]]
        if used + _size(each) > room:
            continue
        first.update(dict.fromkeys(groups[key], used))
        images += [(cluster, used, filters.image) for cluster, filters in each.items()]
        used += _size(each)
    memory = np.zeros((config.clusters.count, used), dtype=np.uint64)
    for cluster, begin, image in images:
        memory[cluster, begin : begin + len(image)] = image
    return FilterPlacement(first, memory.reshape(-1))


def _size(each: Mapping[int, Filters]) -> int:
    """Words that a command takes of every cluster's memory."""
    return max((len(filters.image) for filters in each.values()), default=0)


def _sent(each: Mapping[int, Filters]) -> int:
    """Link words of a command whose filters are streamed; clusters take equal ones together."""
    return sum({filters.digest: filters.length for filters in each.values()}.values())
