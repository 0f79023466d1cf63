"""The executor as a link: words go in, result words come out."""

from collections.abc import Callable, Iterator

import numpy as np

from hw.arch.accesses import counter_block
from hw.arch.commands import (
    ADDRESS,
    ANY_CONFIGURATION,
    BEGIN,
    COMMAND_SET_VERSION,
    HEADER,
    INDEX,
    MAGIC,
    REGION,
    RESULT,
    START,
    VECTOR,
    Opcode,
    ResultBlock,
    Rounding,
    Status,
    VectorOp,
    checksum,
    descriptor_words,
)
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.config.identity import identity_words
from hw.arch.config.modes import rounding_modes
from hw.arch.entries import PARAM, TABLE, short_params_words
from hw.arch.fields import WORD_BITS
from hw.arch.patterns import col_pattern_words, row_pattern_words
from hw.arch.program import Program, Words
from hw.arch.program.layout import Ints, unpack_records, unpack_short_params
from sim.functional.contents import Contents
from sim.functional.convolution import run_convolution
from sim.functional.errors import CommandError, place, require
from sim.functional.nest import ConvDescriptor, decode_convolution
from sim.functional.patterns import decode_columns, decode_rows, split_patterns
from sim.functional.state import Origin, State
from sim.functional.vector import run_vector
from sim.untimed.link import UntimedLink

_SELF_MEASURED = (Opcode.CONV, Opcode.ROWS, Opcode.COLS)  # whose payloads say how long they are
_INDEXED = frozenset({Opcode.PARAMS, Opcode.SHORT_PARAMS, Opcode.TABLE, Opcode.MEMORY})

# The counter of a command's payload; patterns count as commands.
_COUNTED = {
    **dict.fromkeys(_INDEXED, "link_table_words"),
    Opcode.MEMORY: "link_memory_words",
    Opcode.CONV: "link_filter_words",
    Opcode.LOAD: "link_load_words",
}


class FunctionalAccelerator(UntimedLink):
    """An accelerator without time: a link that executes commands as soon as they are complete.

    Parameters
    ----------
    config : Config
    trace : bool
        Keep for every buffer lane which pass, segment, column and window wrote it; see `origin`.
    program : Program or None
        The only one that will run: its steps say what the words of the buffer hold, and a command
        that reads two things as one operand is refused. None: any programs, without this check.

    Raises
    ------
    SemanticsError
        From `send`, for a program that breaks a rule which hardware does not check.
    """

    _WHO, _WAITS = "the accelerator owes", "it waits"

    def __init__(self, config: Config, *, trace: bool = False, program: Program | None = None):
        super().__init__()
        self.config = config
        self.state = State(config)
        if program is not None:
            self.state.contents = Contents(config, program)
        if trace:
            self.state.trace = []
        self._hash = config_hash(config)
        self._guest = False  # the program only wants to know who is there
        self._number = 0
        self._convolution: ConvDescriptor | None = None  # of the CONV before
        self._unsupported = {Opcode.TABLE} if config.array.data_width != 8 else set()
        if not config.buffer.weight_memory:
            self._unsupported |= {Opcode.MEMORY}
        self._handlers: dict[Opcode, Callable[[list[int], Words, int], None]] = {
            Opcode.END: self._end,
            Opcode.ROWS: self._rows,
            Opcode.COLS: self._columns,
            Opcode.PARAMS: self._params,
            Opcode.SHORT_PARAMS: self._short_params,
            Opcode.TABLE: self._table,
            Opcode.LOAD: self._load,
            Opcode.STORE: self._store,
            Opcode.CONV: self._convolve,
            Opcode.VECTOR: self._vector,
            Opcode.COUNTERS: self._counters,
            Opcode.IDENTIFY: self._identify,
            Opcode.MEMORY: self._memory,
        }

    def origin(self, word: int, lane: int) -> Origin | None:
        """What wrote a lane of a buffer word last, if it was a CONV command (needs `trace`)."""
        for record in reversed(self.state.trace or []):
            found = np.flatnonzero((record.words == word) & (record.lanes == lane))
            if found.size:
                at = found[-1]
                return Origin(
                    tag=record.tag,
                    number=record.number,
                    segment=int(record.segments[at]),
                    column=int(record.columns[at]),
                    window=int(record.windows[at]),
                )
        return None

    # ---- decoding -----------------------------------------------------------------------------

    def _advance(self) -> bool:
        """Execute what stands first in the input; whether that may have to be repeated."""
        try:
            return self._command() if self._begun else self._begin()
        except CommandError as error:
            self._reply(ResultBlock.STATUS, [error.value], status=error.status)
            self._begun = False
            self.state.held = None
            self.state.hazards.barrier()
            return True

    def _begin(self) -> bool:
        magic = np.flatnonzero(self._input == np.uint64(MAGIC))
        self._take(int(magic[0]) if magic.size else len(self._input))
        if len(self._input) > 1:
            version = BEGIN.unpack([int(self._input[1]), 0])["version"]
            if version != COMMAND_SET_VERSION:
                self._take(2)
                raise CommandError(Status.BAD_VERSION, version)
        if len(self._input) <= BEGIN.words:
            return False
        fields = BEGIN.unpack(self._take(1 + BEGIN.words).tolist()[1:])
        self._guest = fields["hash"] == ANY_CONFIGURATION
        if fields["hash"] != self._hash and not self._guest:
            raise CommandError(Status.BAD_CONFIGURATION, fields["hash"])
        self._begun = True
        self._number, self._convolution = 0, None
        if self.state.contents is not None:
            self.state.contents.begin()
        return True

    def _take(self, count: int) -> Words:
        words, self._input = self._input[:count], self._input[count:]
        self.state.count(link_in_words=count)
        return words

    def _command(self) -> bool:
        """Execute one command; whether it was complete."""
        if not len(self._input):
            return False
        word = int(self._input[0])
        header = HEADER.unpack([word])
        if header["opcode"] not in set(Opcode) - self._unsupported:
            self._take(1)
            raise CommandError(Status.UNKNOWN_COMMAND, header["opcode"])
        opcode = Opcode(header["opcode"])
        if self._guest and opcode not in (Opcode.IDENTIFY, Opcode.END):
            self._take(1)
            raise CommandError(Status.BAD_CONFIGURATION, opcode)
        size = 1 + descriptor_words(opcode, self._input[1 : 1 + START.words].tolist())
        if len(self._input) < size:
            return False
        descriptor = self._input[1:size].tolist()
        if len(descriptor) < descriptor_words(opcode, descriptor):
            return False
        if (total := checksum(word, descriptor)) != header["checksum"]:
            self._take(size)
            raise CommandError(Status.BAD_CHECKSUM, total)
        if opcode not in _SELF_MEASURED and header["length"] != self._length(
            opcode, header["length"], descriptor
        ):
            self._take(size)
            raise CommandError(Status.BAD_LENGTH, header["length"])
        if len(self._input) < size + header["length"]:
            return False
        self._take(size)
        payload = self._take(header["length"])
        if opcode in _COUNTED:
            self.state.count(**{_COUNTED[opcode]: len(payload)})
        self._wait(header, opcode)
        if self.state.contents is not None:
            self.state.contents.command(header["tag"])
        with place(f"command {self._number} ({opcode.name}, tag {header['tag']})"):
            self._handlers[opcode](descriptor, payload, header["tag"])
        self._number += 1
        return True

    def _wait(self, header: dict[str, int], opcode: Opcode) -> None:
        """What is done when the command begins."""
        hazards = self.state.hazards
        if header["fence"] or opcode in (Opcode.END, Opcode.COUNTERS):
            hazards.barrier()
        if header["older"]:
            hazards.older(header["older"])
        if header["stored"] or opcode is Opcode.STORE:
            hazards.stored()
        if opcode is Opcode.VECTOR:
            hazards.computed()

    def _length(self, opcode: Opcode, length: int, descriptor: list[int]) -> int:
        """Payload words that a command must have, which announces `length`."""
        if opcode in (Opcode.LOAD, Opcode.STORE) and (region := REGION.unpack(descriptor))["coded"]:
            if not self.config.link.codes:
                raise CommandError(Status.BAD_FIELD, region["coded"])
            return 1 if opcode is Opcode.STORE else max(length, 1)
        if opcode is Opcode.LOAD:
            return region["words"]
        if opcode not in _INDEXED:
            return 0
        count = INDEX.unpack(descriptor)["count"]
        if opcode is Opcode.SHORT_PARAMS:
            return short_params_words(count)
        entry = {
            Opcode.PARAMS: PARAM.words,
            Opcode.TABLE: TABLE.words,
            Opcode.MEMORY: 1,
        }[opcode]
        return count * entry

    def _reply(
        self,
        block: ResultBlock,
        words: Words | list[int],
        *,
        tag: int = 0,
        status: Status = Status.OK,
    ) -> None:
        fields = {"block": block, "status": status, "tag": tag, "length": len(words)}
        self._give(RESULT.pack(fields), words)
        self.state.count(link_out_words=1 + len(words))

    # ---- commands -----------------------------------------------------------------------------

    def _index(self, descriptor: list[int], limit: int) -> tuple[int, int]:
        """First entry and count, within a memory of `limit` entries."""
        index = INDEX.unpack(descriptor)
        first, count = index["first"], index["count"]
        if first + count > limit:
            raise CommandError(Status.BAD_ADDRESS, first + count)
        return first, count

    def _rows(self, descriptor: list[int], payload: Words, tag: int) -> None:
        index = self._index(descriptor, self.config.control.row_patterns)
        most = row_pattern_words(self.config.array.rows)
        for number, words in enumerate(self._patterns(index, payload, most), start=index[0]):
            with place(f"row pattern {number}"):
                self.state.rows[number] = decode_rows(self.config, words)

    def _columns(self, descriptor: list[int], payload: Words, tag: int) -> None:
        index = self._index(descriptor, self.config.control.col_patterns)
        most = col_pattern_words(self.config.array.cols)
        for number, words in enumerate(self._patterns(index, payload, most), start=index[0]):
            with place(f"column pattern {number}"):
                self.state.columns[number] = decode_columns(self.config, words)

    def _patterns(self, index: tuple[int, int], payload: Words, most: int) -> Iterator[Words]:
        """A command's patterns, each as long as its first word says, at most `most`."""
        patterns, left = split_patterns(payload, index[1], most)
        if left is not None:
            raise CommandError(Status.BAD_LENGTH, left)
        yield from patterns

    def _params(self, descriptor: list[int], payload: Words, tag: int) -> None:
        self._fill_params(descriptor, unpack_records(PARAM, payload))

    def _short_params(self, descriptor: list[int], payload: Words, tag: int) -> None:
        count = INDEX.unpack(descriptor)["count"]
        self._fill_params(descriptor, unpack_short_params(payload, count))

    def _fill_params(self, descriptor: list[int], values: dict[str, Ints]) -> None:
        params = self.state.params
        first, count = self._index(descriptor, params.entries)
        self.state.hazards.fill(params.name, first, count)
        params.fill(first, values)

    def _table(self, descriptor: list[int], payload: Words, tag: int) -> None:
        table = self.state.table
        first, count = self._index(descriptor, table.entries)
        self.state.hazards.fill(table.name, first, count)
        table.fill(first, unpack_records(TABLE, payload))

    def _memory(self, descriptor: list[int], payload: Words, tag: int) -> None:
        first, count = self._index(descriptor, len(self.state.filters))
        self.state.hazards.fill("weight memory", first, count)
        self.state.filters[first : first + count] = payload

    def _region(self, descriptor: list[int]) -> Ints:
        """The addresses of a box, in order."""
        region = REGION.unpack(descriptor)
        size = region["planes"] * region["rows"] * region["run"]
        bits = region["channels"] * self.config.array.data_width or self.config.buffer.width
        require(
            region["words"] == -(-size * bits // WORD_BITS),
            f"a box of {size} buffer words does not take {region['words']} link words",
        )
        plane, row, word = np.indices((region["planes"], region["rows"], region["run"]))
        start = region["address"] + plane * region["plane_stride"] + row * region["row_stride"]
        address: Ints = (start + word).reshape(-1) % (1 << ADDRESS)
        outside = address >= self.state.memory.activation_words
        if outside.any():
            raise CommandError(Status.BAD_ADDRESS, int(address[outside][0]))
        return address

    def _load(self, descriptor: list[int], payload: Words, tag: int) -> None:
        address = self._region(descriptor)
        require(len(np.unique(address)) == len(address), "the region covers a word twice")
        self.state.hazards.overwrite(address)
        region = REGION.unpack(descriptor)
        if self.state.contents is not None:
            self.state.contents.load(address, region)
        self.state.count(glb_load_writes=len(address))
        self.state.memory.load(address, payload, region)

    def _store(self, descriptor: list[int], payload: Words, tag: int) -> None:
        address = self._region(descriptor)
        self.state.hazards.store(address)
        if self.state.contents is not None:
            self.state.contents.read("what is stored", address)
        region = REGION.unpack(descriptor)
        block, words = self.state.memory.store(address, payload, region)
        reads = len(address) << region["coded"]  # first to find how long a code is
        self.state.count(link_store_words=len(words), glb_store_reads=reads)
        self._reply(block, words, tag=tag)

    def _convolve(self, descriptor: list[int], payload: Words, tag: int) -> None:
        self._convolution = decode_convolution(descriptor, self._convolution)
        run_convolution(self.state, self._convolution, payload, tag)

    def _vector(self, descriptor: list[int], payload: Words, tag: int) -> None:
        vector = VECTOR.unpack(descriptor)
        if vector["op"] not in list(VectorOp):
            raise CommandError(Status.BAD_FIELD, vector["op"])
        if vector["mode"] not in rounding_modes(self.config) - {Rounding.RAW}:
            raise CommandError(Status.BAD_FIELD, vector["mode"])
        run_vector(self.state, vector)
        self.state.hazards.computed()  # the next command begins after it

    def _counters(self, descriptor: list[int], payload: Words, tag: int) -> None:
        block = counter_block(self.config)
        counted = {field.name: self.state.counters[field.name] for field in block.fields}
        self._reply(ResultBlock.COUNTERS, block.pack(counted), tag=tag)
        self.state.clear_counters()

    def _identify(self, descriptor: list[int], payload: Words, tag: int) -> None:
        self._reply(ResultBlock.IDENTITY, identity_words(self.config), tag=tag)

    def _end(self, descriptor: list[int], payload: Words, tag: int) -> None:
        require(self.state.held is None, "filters stay in the PEs after the end of the program")
        self._reply(ResultBlock.STATUS, [Status.OK], tag=tag)
        self._begun = False
