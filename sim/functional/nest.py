"""The pass nest of a CONV command: which passes there are, and with which bases."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hw.arch.commands import BASES, CONSTANTS, LOOP, LOOPS, START
from hw.arch.fields import Field
from sim.functional.errors import require


@dataclass(frozen=True)
class Pass:
    """A pass: its number in the command, its bases, and its place in the accumulation.

    `fresh`: it is sent filters; `release`: PEs forget them after it.
    """

    number: int
    bases: Mapping[str, int]
    first: bool
    last: bool
    fresh: bool
    release: bool


@dataclass(frozen=True)
class ConvDescriptor:
    """The descriptor of CONV; `decoded`: words of filters whose code the payload is, or 0."""

    constants: Mapping[str, int]
    bases: Mapping[str, int]
    loops: tuple[Mapping[str, int], ...]
    decoded: int = 0


def decode_convolution(
    words: Sequence[int], before: ConvDescriptor | None = None
) -> ConvDescriptor:
    """A CONV descriptor from its words; constants and loops may be those of the one `before`.

    Raises `SemanticsError` if there are none, or more loops than there can be.
    """
    start = START.unpack(words[: START.words])
    bases = {field.name: start[field.name] for field in BASES.fields}
    if not start["constants"]:
        require(before is not None, "a CONV has no constants, and there is none before it")
        assert before is not None
        return replace(before, bases=bases, decoded=start["decoded"])
    given = start["loops"]
    require(given <= LOOPS, f"a CONV must have at most {LOOPS} loops, not {given}")
    first = START.words + CONSTANTS.words
    records = [
        LOOP.unpack(words[first + i * LOOP.words :][: LOOP.words]) for i in reversed(range(given))
    ]
    once = LOOP.unpack(LOOP.pack({"count": 1}))
    return ConvDescriptor(
        constants=CONSTANTS.unpack(words[START.words : first]),
        bases=bases,
        loops=(*[once] * (LOOPS - given), *records),
        decoded=start["decoded"],
    )


def _wrap(field: Field, value: int) -> int:
    value &= (1 << field.width) - 1
    return value - (1 << field.width) if value > field.high else value


def walk(convolution: ConvDescriptor) -> Iterator[Pass]:
    """The passes in order."""
    constants, loops = convolution.constants, convolution.loops
    counts = [loop["count"] for loop in loops]
    require(all(counts), f"the iteration counts of the nest must be at least 1, not {counts}")
    adding = [i for i in range(LOOPS) if constants["accumulate"] >> i & 1]
    holding = [i for i in range(LOOPS) if constants["held"] >> i & 1]
    index = [0] * LOOPS
    bases = dict(convolution.bases)
    number = 0
    while True:
        yield Pass(
            number=number,
            bases=dict(bases),
            first=not constants["after"] and all(index[i] == 0 for i in adding),
            last=not constants["before"] and all(index[i] == counts[i] - 1 for i in adding),
            fresh=not constants["reuse"] and all(index[i] == 0 for i in holding),
            release=not constants["keep"] and all(index[i] == counts[i] - 1 for i in holding),
        )
        number += 1
        open_loops = [i for i in range(LOOPS) if index[i] < counts[i] - 1]
        if not open_loops:
            return
        stepping = open_loops[-1]
        index[stepping] += 1
        index[stepping + 1 :] = [0] * (LOOPS - stepping - 1)
        for field in BASES.fields:
            bases[field.name] = _wrap(field, bases[field.name] + loops[stepping][field.name])
