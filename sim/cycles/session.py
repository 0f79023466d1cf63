"""What the model reads of a program in a memory: the host's messages, and the images' records."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hw.arch.accesses import counter_block
from hw.arch.commands import RESULT, begin
from hw.arch.config import Config, MemoryConfig
from hw.arch.config.file import config_hash
from hw.arch.fields import WORD_BITS
from hw.arch.images.board_program import (
    DIGEST_WORDS,
    BoardProgram,
    ReplayStage,
    board_program,
)
from hw.arch.images.gathering import unit_bits
from hw.arch.images.messages import MESSAGE, Message
from hw.arch.images.records import IMAGE, RECORD, Base, RecordKind
from hw.arch.program import Program, Query, Words
from hw.arch.program.layout import box_words, link_words
from sim.cycles.records import AGAIN
from sim.cycles.stream import CommandStream, words_stream
from sim.memory.cases import MemoryKind, RamCase, SdramCase
from sim.outside.behaviour import PROMPT, AxiBehaviour

Numbers: TypeAlias = NDArray[np.int64]
Fields: TypeAlias = dict[str, Any]

_RUN_BLOCK = 1 + 2  # words
_KILO = 1e3


def memory_parameters(memory: MemoryConfig, behaviour: AxiBehaviour = PROMPT) -> list[int]:
    """The kind of a memory and its times, in the order of the C++ models.

    `behaviour` : of a memory behind AXI; its pauses at random are not modelled
    """
    match memory.kind:
        case "ram":
            return RamCase(words=memory.words, latency=memory.latency, pace=memory.pace).parameters
        case "sdram":
            return SdramCase(
                chip=memory.sdram,
                clock=_KILO * memory.clock,
                phase=memory.phase,
                timing=memory.timing,
            ).parameters
    return [MemoryKind.AXI, behaviour.latency]


@dataclass
class HostSession:
    """The first run of a program on an accelerator whose memory holds another one.

    Attributes
    ----------
    stream : the words that the replays give the core
    queries : for each counter block, the layer that it belongs to
    messages : int64, (messages, 4)
        Kind, first word, words, and of a RUN the number of its image.
    images : int64, (images, 7)
        First word, words, whether the program begins and ends with it, blocks, the number of its
        first record, and records.
    records : int64, (records, 7)
        Kind, run, rows, pitch, the number of the first unit (GATHER) or word, whether the payload
        ends, and whether a block leaves by the link.
    gates : int64, (gates, 2)
        Link words, and the results that the host waits for before it sends the next one.
    words, results : on the link in all, to the accelerator and from it
    """

    stream: CommandStream
    queries: list[int]
    messages: Numbers
    images: Numbers
    records: Numbers
    gates: Numbers
    words: int
    results: int

    @classmethod
    def of(cls, program: Program) -> "HostSession":
        """The session of a program's first run, as the driver has it (`sw_driver.replaying`)."""
        return _Builder(board_program(program)).build()


@dataclass
class _Builder:
    board: BoardProgram
    messages: list[tuple[int, int, int, int]] = field(default_factory=list)
    images: list[tuple[int, ...]] = field(default_factory=list)
    records: list[tuple[int, ...]] = field(default_factory=list)
    gates: list[tuple[int, int]] = field(default_factory=list)
    commands: list[Words] = field(default_factory=list)
    queries: list[int] = field(default_factory=list)
    words: int = 0
    results: int = 0

    @property
    def config(self) -> Config:
        return self.board.program.config

    def build(self) -> HostSession:
        self._upload()
        for stage in self.board.replays:
            self._wait()
            self._stage(stage)
        return HostSession(
            stream=words_stream(self.board.program, np.concatenate(self.commands)),
            queries=self.queries,
            messages=np.array(self.messages, np.int64),
            images=np.array(self.images, np.int64),
            records=np.array(self.records, np.int64),
            gates=np.array(self.gates, np.int64).reshape(-1, 2),
            words=self.words,
            results=self.results,
        )

    # ---- messages -----------------------------------------------------------------------------

    def _tell(self, kind: int, address: int, words: int, image: int = 0) -> None:
        self.messages.append((kind, address, words, image))
        self.words += 1 + MESSAGE.words + (words if kind == Message.WRITE else 0)

    def _wait(self) -> None:
        """What follows is sent when all answers have come."""
        self.gates.append((self.words, self.results))

    def _read(self, address: int, words: int) -> None:
        self._tell(Message.READ, address, words)
        self.results += RESULT.words + words

    def _upload(self) -> None:
        """The digest is read, and the images are written."""
        self._read(0, DIGEST_WORDS)
        self._wait()
        self._tell(Message.WRITE, 0, DIGEST_WORDS)
        for stage in self.board.replays:
            self._tell(Message.WRITE, stage.address, len(stage.image))
        self._tell(Message.WRITE, 0, DIGEST_WORDS)

    def _stage(self, stage: ReplayStage) -> None:
        if stage.inputs:
            self._tell(Message.WRITE, stage.areas[0], stage.input_words)
        self._tell(Message.RUN, stage.address, len(stage.image), len(self.images))
        for step in stage.answers:
            if isinstance(step, Query):
                self.queries.append(step.layer)
                block = counter_block(self.config).words
            else:
                block = link_words(self.config, box_words(self.config, step.box, raw=step.raw))
            self.results += RESULT.words + block
        self.results += _RUN_BLOCK
        for kept in stage.kept:
            self._read(kept.address, kept.words)
        if stage.kept and self.config.memory.kind == "axi":
            self._tell(AGAIN, 0, 0)
            self.results += _RUN_BLOCK
        self._image(stage)

    # ---- images -------------------------------------------------------------------------------

    def _image(self, stage: ReplayStage) -> None:
        """Its records, and the words of the command stream that they stand for."""
        header = IMAGE.unpack(stage.image[: IMAGE.words].tolist())
        first = len(self.records)
        if header["begins"]:
            self.commands.append(np.array(begin(config_hash(self.config)), np.uint64))
        units = WORD_BITS // unit_bits(self.config)
        gathered = 0  # units of a payload so far
        for fields, inline in _records(stage.image):
            self.records.append(self._record(fields, stage.areas[0], units))
            if fields["record"] == RecordKind.INLINE:
                self.commands.append(inline)
            elif fields["record"] == RecordKind.GATHER:
                gathered += fields["run"] * fields["rows"]
                if fields["last"]:
                    self.commands.append(np.zeros(-(-gathered // units), np.uint64))
                    gathered = 0
        self.images.append(
            (
                stage.address,
                len(stage.image),
                header["begins"],
                header["ends"],
                header["blocks"],
                first,
                len(self.records) - first,
            )
        )

    @staticmethod
    def _record(fields: Fields, area: int, units: int) -> tuple[int, ...]:
        place = fields["address"] + (area if fields["base"] == Base.INPUT else 0)
        if fields["record"] == RecordKind.GATHER:
            place = place * units + fields["half"]
        link = fields["base"] == Base.LINK
        names = ("record", "run", "rows", "pitch")
        return (*(fields[name] for name in names), place, fields["last"], int(link))


def _records(image: Words) -> Iterator[tuple[Fields, Words]]:
    """The records of an image, each with the words that follow INLINE."""
    at = IMAGE.words
    while at < len(image) - 1:
        fields = RECORD.unpack(image[at : at + RECORD.words].tolist())
        at += RECORD.words
        run = fields["run"] if fields["record"] == RecordKind.INLINE else 0
        yield fields, image[at : at + run]
        at += run
