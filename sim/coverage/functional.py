"""Functional coverage: what was said to an accelerator and what it answered.

Points are: each field of each command at its lowest and at its highest value, each opcode, each
kind of result block, each status, each counter above zero (the causes of stalls are among them).
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from hw.arch.accesses import counter_block
from hw.arch.commands import (
    BEGIN,
    CODE,
    CONSTANTS,
    HEADER,
    INDEX,
    LOOP,
    MAGIC,
    REGION,
    RESULT,
    START,
    VECTOR,
    Opcode,
    ResultBlock,
    Status,
    checksum,
    descriptor_words,
)
from hw.arch.config import Config
from hw.arch.fields import Field, Struct

_DESCRIPTORS: dict[Opcode, Struct] = {
    Opcode.ROWS: INDEX,
    Opcode.COLS: INDEX,
    Opcode.PARAMS: INDEX,
    Opcode.SHORT_PARAMS: INDEX,
    Opcode.TABLE: INDEX,
    Opcode.MEMORY: INDEX,
    Opcode.LOAD: REGION,
    Opcode.STORE: REGION,
    Opcode.CONV: START,
    Opcode.VECTOR: VECTOR,
}
# Fields whose ends say nothing: a sum over the others, and a hash of which one value is right.
_NOT_AT_ENDS = {(HEADER.name, "checksum"), (HEADER.name, "opcode"), (BEGIN.name, "hash")}
_REPLAYERS = 16  # statuses from here on are of a replayer


class FunctionalCoverage:
    """Counts functional points of the streams of one accelerator.

    Parameters
    ----------
    config : Config
        Which decides what there is to be seen.

    Attributes
    ----------
    counts : Counter of str
        How often each point was seen; each is there from the start with 0.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self.counts: Counter[str] = Counter(dict.fromkeys(_points(config), 0))
        self._answer: list[int] = []

    def add(self, other: "FunctionalCoverage") -> None:
        """Take what another accelerator of the same configuration saw."""
        self.counts.update(other.counts)

    def reset(self) -> None:
        """The accelerator was reset: a result block that was under way ends."""
        self._answer = []

    def sent(self, words: Sequence[int]) -> None:
        """Take the words of a program, or of a part that begins with a command.

        Of a program that is wrong, all before the first header that cannot be read counts.
        """
        place = 0
        if words and words[0] == MAGIC:
            if len(words) < 1 + BEGIN.words:
                return
            self._ends(BEGIN, BEGIN.unpack(words[1 : 1 + BEGIN.words]))
            place = 1 + BEGIN.words
        while place < len(words):
            header = HEADER.unpack(words[place : place + 1])
            if header["opcode"] not in set(Opcode):
                return
            opcode = Opcode(header["opcode"])
            # A copy of no more than the first record: a program has many commands.
            size = descriptor_words(opcode, words[place + 1 : place + 1 + START.words])
            descriptor = list(words[place + 1 : place + 1 + size])
            complete = len(descriptor) == size
            if not complete or checksum(words[place], descriptor) != header["checksum"]:
                return
            self._command(opcode, header, descriptor)
            payload = words[place + 1 + size : place + 1 + size + header["length"]]
            if opcode is Opcode.STORE and len(payload) == CODE.words:
                self._ends(CODE, CODE.unpack(payload))
            place += 1 + size + header["length"]

    def _command(self, opcode: Opcode, header: dict[str, int], descriptor: list[int]) -> None:
        self._see(f"command {opcode.name}")
        self._ends(HEADER, header)
        struct = _DESCRIPTORS.get(opcode)
        if struct is None:
            return
        self._ends(struct, struct.unpack(descriptor))
        if opcode is Opcode.CONV and len(descriptor) > START.words:
            self._ends(CONSTANTS, CONSTANTS.unpack(descriptor[START.words :]))
            loops = descriptor[START.words + CONSTANTS.words :]
            for first in range(0, len(loops), LOOP.words):
                self._ends(LOOP, LOOP.unpack(loops[first : first + LOOP.words]))

    def _ends(self, struct: Struct, values: dict[str, int]) -> None:
        for field in struct.fields:
            if values[field.name] == field.low:
                self._see(_end(struct, field, "lowest"))
            if values[field.name] == field.high:
                self._see(_end(struct, field, "highest"))

    def received(self, words: Sequence[int]) -> None:
        """Take the next words of the answer."""
        self._answer += words
        place = 0
        while place < len(self._answer):
            header = RESULT.unpack(self._answer[place : place + 1])
            end = place + 1 + header["length"]
            if len(self._answer) < end:
                break
            self._block(header, self._answer[place + 1 : end])
            place = end
        del self._answer[:place]

    def _block(self, header: dict[str, int], words: Sequence[int]) -> None:
        kind = ResultBlock(header["block"])
        self._see(f"block {kind.name}")
        if kind is ResultBlock.STATUS:
            self._see(f"status {Status(header['status']).name}")
        elif kind is ResultBlock.COUNTERS:
            names = [field.name for field in counter_block(self._config).fields]
            for name, value in zip(names, words, strict=True):
                if value:
                    self._see(f"counter {name}")

    def _see(self, point: str) -> None:
        if point in self.counts:
            self.counts[point] += 1


def _end(struct: Struct, field: Field, which: str) -> str:
    return f"field {struct.name}.{field.name} {which}"


def _points(config: Config) -> Iterator[str]:
    """All that can be seen of a configuration without a memory of its own for programs."""
    absent = {Opcode.MEMORY} if not config.buffer.weight_memory else set()
    yield from (f"command {opcode.name}" for opcode in Opcode if opcode not in absent)
    coding = config.link.codes
    structs = [HEADER, BEGIN, INDEX, REGION, START, CONSTANTS, LOOP, VECTOR]
    for struct in (*structs, CODE) if coding else structs:
        for field in struct.fields:
            if (struct.name, field.name) not in _NOT_AT_ENDS:
                yield from (_end(struct, field, which) for which in ("lowest", "highest"))
    blocks = [ResultBlock.STATUS, ResultBlock.DATA, ResultBlock.COUNTERS, ResultBlock.IDENTITY]
    for kind in (*blocks, ResultBlock.CODED) if coding else blocks:
        yield f"block {kind.name}"
    for status in Status:
        if status < _REPLAYERS and (coding or status is not Status.BAD_CODE):
            yield f"status {status.name}"
    yield from (f"counter {field.name}" for field in counter_block(config).fields)
