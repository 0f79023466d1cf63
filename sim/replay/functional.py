"""The replayer before the executor of command streams, as one link."""

import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hw.arch.commands import MAGIC, RESULT, ResultBlock, Status, begin
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.fields import WORD_BITS
from hw.arch.images.gathering import unit_bits
from hw.arch.images.messages import (
    MEMORY_MAGIC,
    MESSAGE,
    MOST_WORDS,
    RUN_ACCOUNT,
    MemoryRange,
    Message,
)
from hw.arch.images.records import IMAGE, IMAGE_VERSION, RECORD, Base, RecordKind
from hw.arch.images.sums import is_sound
from hw.arch.program import Program, Words
from sim.functional import FunctionalAccelerator
from sim.functional.errors import CommandError, require
from sim.mesh import FunctionalMesh
from sim.replay.memory import ReplayMemory
from sim.untimed.link import UntimedLink
from sw_driver.protocol.link import Link


class Executor(Protocol):
    """What executes the command stream."""

    def send(self, words: Words) -> None:
        """Take words; complete commands are executed."""

    def take_all(self) -> Words:
        """All result words that are there."""

    @property
    def between_programs(self) -> bool:
        """Whether no program has begun that has not ended."""


_RANGES = {
    Base.ABSOLUTE: MemoryRange.ABSOLUTE,
    Base.INPUT: MemoryRange.INPUT,
    Base.OUTPUT: MemoryRange.OUTPUT,
}


def functional_link(config: Config, program: Program | None = None) -> Link:
    """The accelerator of a configuration without time: its replayer or clusters if it has them.

    `program`: as for `FunctionalAccelerator`; clusters do not check what words hold.
    """
    if config.memory.present:
        return FunctionalReplayer(config, program=program)
    if config.clusters.several:
        return FunctionalMesh(config)
    return FunctionalAccelerator(config, program=program)


class FunctionalReplayer(UntimedLink):
    """A link to the executor with a memory before it: messages are served as they are complete.

    Parameters
    ----------
    config : Config
        With a memory.
    program : Program or None
        As for `FunctionalAccelerator`.
    make_core : callable or None
        Makes what stands in the executor's place, at first and after each error.

    Raises
    ------
    SemanticsError
        From `send`, for an image that breaks a rule which hardware does not check: it gathers words
        that may not be there yet, or has data blocks written over itself.
    """

    _WHO, _WAITS = "the accelerator owes", "it waits"

    def __init__(
        self,
        config: Config,
        *,
        program: Program | None = None,
        make_core: Callable[[], Executor] | None = None,
    ):
        super().__init__()
        self.config = config
        self.memory = ReplayMemory(config.memory.words)
        self._make_core = make_core or (lambda: FunctionalAccelerator(config, program=program))
        self.core = self._make_core()
        self._last: tuple[int, Status, int] | None = None  # number, status and value of a RUN
        self.open = False  # a program has begun that no image has ended

    # ---- messages -----------------------------------------------------------------------------

    def _advance(self) -> bool:
        """Serve what stands first in the input; whether there may be more.

        Words of a program that is no image go on to the executor until it ends.
        """
        if not len(self._input):
            return False
        if self._begun or int(self._input[0]) != MEMORY_MAGIC:
            return self._pass()
        if len(self._input) < 1 + MESSAGE.words:
            return False
        words = self._input[1 : 1 + MESSAGE.words].tolist()
        fields = MESSAGE.unpack(words)
        size = 1 + MESSAGE.words
        if is_sound(MESSAGE, words) and fields["message"] == Message.WRITE:
            size += fields["words"]
            if len(self._input) < size:
                return False
        payload = self._input[1 + MESSAGE.words : size]
        self._input = self._input[size:]
        try:
            if not is_sound(MESSAGE, words):
                raise CommandError(Status.BAD_MESSAGE, _sum(words))
            self._message(fields, payload)
        except CommandError as error:
            self._report(fields["number"], error.status, error.value)
        return True

    def _pass(self) -> bool:
        """Words for the executor, up to the next that might be a message."""
        marks = np.flatnonzero(self._input[1:] == np.uint64(MEMORY_MAGIC))
        end = 1 + int(marks[0]) if marks.size else len(self._input)
        words, self._input = self._input[:end], self._input[end:]
        self._begun = self._begun or bool((words == np.uint64(MAGIC)).any())
        self.core.send(words)
        self._give(self.core.take_all())
        self._begun = self._begun and not self.core.between_programs
        return True

    def _message(self, fields: dict[str, int], payload: Words) -> None:
        end = fields["address"] + fields["words"]
        match fields["message"]:
            case Message.WRITE:
                self.memory.check(MemoryRange.WRITE, end)
                self.memory.write(fields["address"], payload)
            case Message.READ:
                if fields["words"] > MOST_WORDS:
                    raise CommandError(Status.BAD_RANGE, end << 8 | MemoryRange.READ)
                self.memory.check(MemoryRange.READ, end)
                words = self.memory.read(fields["address"], fields["words"])
                self._block(ResultBlock.MEMORY, words.tolist())
            case Message.RUN:
                self.memory.check(MemoryRange.IMAGE, end)
                self._run(fields)
            case other:
                raise CommandError(Status.BAD_MESSAGE, other)

    def _block(self, block: ResultBlock, words: list[int], **fields: int) -> None:
        self._give(RESULT.pack({"block": block, "length": len(words), **fields}), words)

    def _report(self, number: int, status: Status, value: int, tag: int = 0) -> None:
        words = [value, *RUN_ACCOUNT.pack({"tag": tag})]
        self._block(ResultBlock.RUN, words, status=status, tag=number)

    # ---- a replay -----------------------------------------------------------------------------

    def _run(self, fields: dict[str, int]) -> None:
        if self._last is not None and self._last[0] == fields["number"]:
            self._report(*self._last)
            return
        status, value = Status.OK, 0
        try:
            for _ in range(1 + fields["repeat"]):
                _Replay(self, fields).run()
        except CommandError as error:
            status, value = error.status, error.value
            self.core = self._make_core()
            self.open = False
        self._last = fields["number"], status, value
        self._report(*self._last)

    def leave(self, words: Words) -> None:
        """Words of a result block leave by the link."""
        self._give(words)


@dataclass
class _Place:
    """Where a data block goes: the link, or words from `address` on."""

    address: int | None
    words: int


class _Replay:
    """One replay of an image."""

    def __init__(self, device: FunctionalReplayer, fields: dict[str, int]):
        self._device = device
        self._config = device.config
        self._first, count = fields["address"], fields["words"]
        self._count = count
        self._words = device.memory.read(self._first, count)
        self._bases = {Base.INPUT: fields["input"], Base.OUTPUT: fields["output"]}
        self._places: deque[_Place] = deque()
        self._promised = self._written = self._waited = 0
        self._blocks = 0
        self._ended = False
        self._half: np.ndarray | None = None

    def run(self) -> None:
        """`CommandError` if it ends with an error."""
        self._device.memory.begin()
        if self._count < IMAGE.words + 1:
            raise CommandError(Status.BAD_RECORD, self._count)
        header = self._header()
        at = IMAGE.words
        while at < self._count - 1:
            at = self._record(at)
        checksum = zlib.crc32(self._words[:-1].astype("<u8").tobytes())
        if int(self._words[-1]) != checksum:
            raise CommandError(Status.BAD_IMAGE, checksum)
        require(self._half is None, "the image ends within the payload of a LOAD")
        require(not self._places, f"{len(self._places)} places wait for data blocks in the end")
        require(
            bool(header["ends"]) == self._ended,
            "the image says wrongly whether the program ends with it",
        )
        require(
            header["blocks"] == self._blocks,
            f"the image causes {self._blocks} blocks, not {header['blocks']}",
        )
        self._device.open = not self._ended

    def _header(self) -> dict[str, int]:
        words = self._words[: IMAGE.words].tolist()
        if not is_sound(IMAGE, words):
            raise CommandError(Status.BAD_RECORD, _sum(words))
        header = IMAGE.unpack(words)
        if header["version"] != IMAGE_VERSION:
            raise CommandError(Status.BAD_VERSION, header["version"])
        if header["hash"] != config_hash(self._config):
            raise CommandError(Status.BAD_CONFIGURATION, header["hash"])
        if not header["begins"] and not self._device.open:
            raise CommandError(Status.BAD_RECORD, 0)
        if header["begins"]:
            self._send(np.array(begin(config_hash(self._config)), dtype=np.uint64))
        return header

    def _record(self, at: int) -> int:
        """Do what a record says; where the next one is."""
        left = self._count - at
        if left < RECORD.words + 1:
            raise CommandError(Status.BAD_RECORD, left)
        words = self._words[at : at + RECORD.words].tolist()
        if not is_sound(RECORD, words):
            raise CommandError(Status.BAD_RECORD, _sum(words))
        record = RECORD.unpack(words)
        at += RECORD.words
        left -= RECORD.words
        bad = CommandError(Status.BAD_RECORD, record["record"])
        match record["record"]:
            case RecordKind.INLINE:
                if not 0 < record["run"] < left:
                    raise bad
                require(self._half is None, "INLINE comes within the payload of a LOAD")
                self._send(self._words[at : at + record["run"]])
                at += record["run"]
            case RecordKind.GATHER:
                halves = unit_bits(self._config) < WORD_BITS
                unpaired = record["half"] and not halves
                if not record["run"] or not record["rows"] or unpaired:
                    raise bad
                if record["base"] == Base.LINK:
                    raise bad
                self._gather(record)
            case RecordKind.SCATTER:
                if not record["run"]:
                    raise bad
                self._scatter(record)
            case RecordKind.WAIT:
                if record["address"] > self._promised:
                    raise bad
                require(
                    record["address"] <= self._written,
                    "the image waits for data blocks that no command before causes",
                )
                self._waited = max(self._waited, record["address"])
            case _:
                raise bad
        return at

    def _gather(self, record: dict[str, int]) -> None:
        bits = unit_bits(self._config)
        units = WORD_BITS // bits
        base = Base(record["base"])
        place = (self._bases.get(base, 0) + record["address"]) * units + record["half"]
        parts = [] if self._half is None else [self._half]
        for row in range(record["rows"]):
            first = place + row * record["pitch"]
            last = (first + record["run"] - 1) // units
            self._device.memory.check(_RANGES[base], last + 1)
            words = self._device.memory.read(
                first // units, last + 1 - first // units, waited=self._waited
            )
            view = words.astype("<u8").view(f"<u{bits // 8}")
            start = first % units
            parts.append(view[start : start + record["run"]])
        joined = np.concatenate(parts)
        odd = len(joined) % units
        self._half = None
        if record["last"]:
            joined = np.append(joined, np.zeros(odd and units - odd, dtype=joined.dtype))
        elif odd:
            joined, self._half = joined[:-odd], joined[-odd:]
        self._send(joined.view("<u8").astype(np.uint64))

    def _scatter(self, record: dict[str, int]) -> None:
        base = Base(record["base"])
        if base is Base.LINK:
            self._places.append(_Place(None, record["run"]))
            return
        address = self._bases.get(base, 0) + record["address"]
        end = address + record["run"]
        self._device.memory.check(_RANGES[base], end)
        require(
            end <= self._first or address >= self._first + self._count,
            "a data block would be written over the image",
        )
        self._places.append(_Place(address, record["run"]))
        self._promised += record["run"]

    # ---- the executor -------------------------------------------------------------------------

    def _send(self, words: Words) -> None:
        """Words of the command stream; their results are taken apart."""
        if not len(words):
            return
        core = self._device.core
        core.send(words)
        results = core.take_all()
        while len(results):
            header = RESULT.unpack(results[:1].tolist())
            size = 1 + header["length"]
            block, results = results[:size], results[size:]
            self._block(header, block)

    def _block(self, header: dict[str, int], block: Words) -> None:
        if header["block"] == ResultBlock.STATUS:
            if header["status"] != Status.OK:
                raise CommandError(Status(header["status"]), int(block[1]))
            self._ended = True
            return
        self._blocks += 1
        if header["block"] != ResultBlock.DATA:
            self._device.leave(block)
            return
        require(self._places, "a data block comes for which the image has no place")
        place = self._places.popleft()
        if place.words != header["length"]:
            raise CommandError(Status.BAD_BLOCK, header["length"])
        if place.address is None:
            self._device.leave(block)
            return
        self._written += place.words
        self._device.memory.write(place.address, block[1:], self._written)


def _sum(words: list[int]) -> int:
    """The folded sum that the checksum field of a record should have."""
    quarters = [word >> 16 * i & 0xFFFF for word in words for i in range(4)]
    return (sum(quarters) - (words[0] >> 48)) & 0xFFFF
