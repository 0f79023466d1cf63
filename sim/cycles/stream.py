"""What the model reads of a program: commands without payloads, and when the host can send them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hw.arch.accesses import counter_block
from hw.arch.commands import (
    BEGIN,
    HEADER,
    REGION,
    START,
    Opcode,
    descriptor_words,
)
from hw.arch.config import Config
from hw.arch.program import Host, Load, Program, Query, Send, Step, Store, Words
from hw.arch.program.coding import coded_counts
from hw.arch.program.layout import RAW_BITS
from hw.arch.program.transfer import NOTHING_CODED, load_transfer, stored

Values: TypeAlias = Mapping[int, NDArray[Any]]

NO_VALUES: Values = {}

WITH_PAYLOAD = (Opcode.ROWS, Opcode.COLS)


@dataclass
class CommandStream:
    """The words of a program as the model takes them.

    Attributes
    ----------
    words : headers, descriptors, and the payloads of ROWS and COLS, in order; BEGIN is left out
    total : words on the link, with all payloads
    gates : pairs (word, results): words from that one on are sent when the host has so many results
    queries : for each counter block, the layer that it belongs to
    counts : of every payload of LOAD and CONV that is a code, in order, how many elements of each
        link word that it stands for have a place in it
    stored_counts : of every STORE that may be answered with a code, in order, the same
    """

    words: Words
    total: int
    gates: NDArray[np.int64]
    queries: list[int]
    counts: NDArray[np.uint8]
    stored_counts: NDArray[np.uint8]


@dataclass
class _Builder:
    config: Config
    dry: bool
    values: Values
    program: Program
    parts: list[Words] = field(default_factory=list)
    total: int = 0
    results: int = 0
    gates: list[tuple[int, int]] = field(default_factory=list)
    queries: list[int] = field(default_factory=list)
    stored: dict[int, int] = field(default_factory=dict)  # tensor: results that complete it
    counts: list[NDArray[np.uint8]] = field(default_factory=list)
    stored_counts: list[NDArray[np.uint8]] = field(default_factory=list)

    def build(self) -> CommandStream:
        """The stream of what has been sent."""
        return CommandStream(
            words=np.ascontiguousarray(np.concatenate(self.parts), dtype=np.uint64),
            total=self.total,
            gates=np.array(self.gates, dtype=np.int64).reshape(-1, 2),
            queries=self.queries,
            counts=np.concatenate([NOTHING_CODED, *self.counts]),
            stored_counts=np.concatenate([NOTHING_CODED, *self.stored_counts]),
        )

    def step(self, step: Step) -> None:
        match step:
            case Send():
                self.send(step.words, dry=self.dry)
            case Load():
                self._wait(step.tensor)
                self.send(self._load(step))
            case Store():
                self._store(step)
                self.stored[step.tensor] = self.results
            case Query():
                self.send(step.words)
                self.queries.append(step.layer)
            case Host():
                for tensor in step.inputs:
                    self._wait(tensor)

    def _load(self, step: Load) -> Words:
        """Header and descriptor as the host sends them; raw where it is not known what it loads."""
        if step.tensor not in self.values:
            return step.words
        view = self.values[step.tensor].reshape(self.program.tensors[step.tensor].view)
        sent = load_transfer(self.config, step, view, raw=view.dtype.itemsize == RAW_BITS // 8)
        self.counts.append(sent.counts)
        return sent.head

    def _store(self, step: Store) -> None:
        """A STORE as the host sends it; raw where it is not known what it stores."""
        config, spec = self.config, self.program.tensors[step.tensor]
        if step.tensor not in self.values:
            self.send(step.words)
            return
        found = stored(config, step, spec, self.values[step.tensor].reshape(spec.view))
        before = self.results
        self.send(found.words[: 1 + REGION.words])
        self.results = before + 1 + found.length
        if found.counts is not None:
            self.stored_counts.append(found.counts)

    def _wait(self, tensor: int) -> None:
        """What follows needs a tensor that is being stored."""
        if tensor in self.stored:
            self.gates.append((self.total, self.stored.pop(tensor)))

    def send(self, words: Words, *, dry: bool = True) -> None:
        if not self.total:
            self.total = 1 + BEGIN.words
            words = words[self.total :]
        for command in commands(words, dry=dry):
            self._command(command)

    def _command(self, words: Words) -> None:
        header = HEADER.unpack([int(words[0])])
        opcode = Opcode(header["opcode"])
        size = command_words(words)
        decoded = _decoded(opcode, words[1:size].tolist())
        if decoded and len(words) > size:
            width = self.config.array.data_width
            self.counts.append(coded_counts(words[size:], decoded, width))
        self.parts.append(words if opcode in WITH_PAYLOAD else words[:size])
        self.total += size + header["length"]
        if opcode is Opcode.END:
            self.results += 2
        if opcode is Opcode.COUNTERS:
            self.results += 1 + counter_block(self.config).words
        if opcode is Opcode.STORE:
            region = REGION.unpack([int(word) for word in words[1:size]])
            self.results += 1 + region["words"]


def commands(words: Words, *, dry: bool) -> Iterator[Words]:
    """The commands in a step's words; `dry`: the payloads of CONV and LOAD are not there.

    Those of a Load step never are. In words that a step sends, a LOAD brings filters.
    """
    position = 0
    while position < len(words):
        header = HEADER.unpack([int(words[position])])
        opcode = Opcode(header["opcode"])
        payload = 0 if opcode in (Opcode.CONV, Opcode.LOAD) and dry else header["length"]
        size = command_words(words[position:]) + payload
        yield words[position : position + size]
        position += size


def _decoded(opcode: Opcode, descriptor: list[int]) -> int:
    """Link words whose code a command's payload is; 0: it is none."""
    if opcode is Opcode.LOAD:
        region = REGION.unpack(descriptor)
        return region["words"] * region["coded"]
    return START.unpack(descriptor)["decoded"] if opcode is Opcode.CONV else 0


def command_words(words: Words) -> int:
    """Header and descriptor words of the command that `words` begin with."""
    opcode = Opcode(HEADER.unpack([int(words[0])])["opcode"])
    return 1 + descriptor_words(opcode, words[1 : 1 + START.words].tolist())


def command_stream(
    program: Program, *, dry: bool = False, values: Values = NO_VALUES
) -> CommandStream:
    """The stream of a program's first run; `dry`: the filters are left out of its steps.

    `values` : by tensor index, what the host loads and stores; other transfers are raw
    """
    builder = _Builder(program.config, dry, values, program)
    for step in program.steps:
        builder.step(step)
    return builder.build()


def words_stream(program: Program, words: Words) -> CommandStream:
    """The stream of all words that go to the core of a program, payloads included; none waits."""
    builder = _Builder(program.config, False, NO_VALUES, program)
    builder.send(words, dry=False)
    return builder.build()
