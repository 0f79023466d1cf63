"""Random CONV descriptors and patterns, and the pass tables that they lead to."""

from dataclasses import dataclass
from math import prod
from random import Random
from typing import Any

from hw.arch.commands import ADDRESS, BASES, CONSTANTS, LOOP, LOOPS, START
from hw.arch.config import Config
from hw.arch.fields import Struct
from hw.arch.patterns import COLUMN, COLUMNS, PATTERN, ROW, SEGMENT, SLOT, pack_rows
from sim.functional.nest import ConvDescriptor, Pass, decode_convolution, walk

Record = dict[str, int]


def random_record(struct: Struct, random: Random, **fixed: int) -> Record:
    """Any values of a record's fields, those named as given."""
    values = {field.name: random.randint(field.low, field.high) for field in struct.fields}
    return {**values, **fixed}


@dataclass(frozen=True)
class Descriptor:
    """A CONV descriptor: its words, its constants, the passes that it means, and all it means."""

    words: list[int]
    constants: Record
    passes: list[Pass]
    meaning: ConvDescriptor


def random_descriptor(
    random: Random, *, rows: int = 256, columns: int = 256, most: int = 48
) -> Descriptor:
    """A nest of at most `most` passes; its patterns are below `rows` and `columns`.

    All other bases and steps are random over their whole range: sums wrap.
    """
    constants = random_record(CONSTANTS, random, after=int(random.random() < 0.2))
    constants["before"] = int(random.random() < 0.2)
    counts = _random_counts(random, most)
    limits = {"rows": rows, "columns": columns}
    starts, steps = {}, {}
    for name, limit in limits.items():
        starts[name] = random.randrange(limit)
        room = limit - 1 - starts[name]
        steps[name] = [0] * LOOPS
        for i in random.sample(range(LOOPS), LOOPS):
            growth = (counts[i] - 1) * prod(counts[:i])  # how often loop i steps
            if growth <= room and random.random() < 0.7:
                steps[name][i] = 1
                room -= growth
    given = LOOPS - next((i for i, count in enumerate(counts) if count > 1), LOOPS)
    given = random.randint(given, LOOPS)
    bases = random_record(BASES, random, **starts)
    words = START.pack({**bases, "constants": 1, "loops": given}) + CONSTANTS.pack(constants)
    for i in reversed(range(LOOPS - given, LOOPS)):
        fixed = {name: steps[name][i] for name in limits}
        words += LOOP.pack(random_record(LOOP, random, count=counts[i], **fixed))
    meaning = decode_convolution(words)
    return Descriptor(words, constants, list(walk(meaning)), meaning)


def random_bases(random: Random, before: Descriptor) -> Descriptor:
    """A descriptor of bases alone, after `before`: any bases, and patterns that there are."""
    patterns = {name: before.meaning.bases[name] for name in ("rows", "columns")}
    words = START.pack(random_record(BASES, random, **patterns))
    meaning = decode_convolution(words, before.meaning)
    return Descriptor(words, dict(before.constants), list(walk(meaning)), meaning)


def _random_counts(random: Random, most: int) -> list[int]:
    """Iteration counts of the loops; their product is at most `most`."""
    counts = [1] * LOOPS
    for i in random.sample(range(LOOPS), LOOPS):
        counts[i] = random.choice([n for n in (1, 1, 2, 3, 5) if n * prod(counts) <= most])
    return counts


@dataclass(frozen=True)
class Pattern:
    """A row or column pattern: its words, the header's fields and the entries by kind."""

    words: list[int]
    header: Record
    entries: dict[str, list[Record]]


def random_rows(config: Config, random: Random) -> Pattern:
    """A row pattern with any entries, and any number of them."""
    counts = {n: random.randint(1, config.array.rows) for n in ("rows", "slots", "segments")}
    structs = {"rows": ROW, "slots": SLOT, "segments": SEGMENT}
    entries = {
        structs[name].name: [random_record(structs[name], random) for _ in range(count)]
        for name, count in counts.items()
    }
    words = pack_rows([ROW.pack(entry) for entry in entries["row"]])
    for struct in (SLOT, SEGMENT):
        words += [word for entry in entries[struct.name] for word in struct.pack(entry)]
    header = random_record(PATTERN, random, words=1 + len(words), **counts)
    return Pattern([*PATTERN.pack(header), *words], header, entries)


def random_columns(config: Config, random: Random) -> Pattern:
    """A column pattern with any entries, and any number of them."""
    count = random.randint(1, config.array.cols)
    columns = [random_record(COLUMN, random) for _ in range(count)]
    header = random_record(COLUMNS, random, words=1 + count, columns=count)
    words = COLUMNS.pack(header)
    for entry in columns:
        words += COLUMN.pack(entry)
    for place, entry in enumerate(columns):
        entry["psum"] = place * header["psum"] % (1 << ADDRESS)
    return Pattern(words, header, {"column": columns})


def pass_table(descriptor: Descriptor, number: int, rows: Pattern, columns: Pattern) -> Any:
    """The registers of a pass table: a value of `hw.engines.tables.PassTable`."""
    item = descriptor.passes[number]
    wanted = ("active", "tid", "base")
    return {
        "constants": descriptor.constants,
        "bases": dict(item.bases),
        "first": int(item.first),
        "last": int(item.last),
        "fresh": int(item.fresh),
        "release": int(item.release),
        "sync": int(number == 0 and descriptor.constants["sync"] == 1),
        "closing": int(number == len(descriptor.passes) - 1),
        **{n: rows.header[n] for n in ("slots", "segments", "filters")},
        **{n: rows.header[n] for n in ("first_unit", "turn", "period")},
        **{n: columns.header[n] for n in ("columns", "groups", "first_group")},
        "rows": rows.entries["row"],
        "cols": [{n: entry[n] for n in wanted} for entry in columns.entries["column"]],
    }
