"""A program as a memory of the accelerator's own holds it: images, areas, and what is where."""

import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TypeAlias

import numpy as np

from hw.arch.commands import BEGIN
from hw.arch.config.file import config_hash
from hw.arch.errors import RowforgeError
from hw.arch.fields import WORD_BITS
from hw.arch.images.gathering import GatheredRows, StoredBlock, gathered, unit_bits, whole_words
from hw.arch.images.placing import Lifetime, place
from hw.arch.images.records import Base, RecordKind, image_header, record
from hw.arch.images.stages import Replayed, TensorSources, split_begin, stages
from hw.arch.program import Host, Load, Program, Query, Send, Step, Store, Words
from hw.arch.program.layout import box_words, link_words, load_words, pack_load

DIGEST_WORDS = 4
"""Words at the beginning of the memory that tell what is in it."""

_PIECE = 1 << 20  # words of an image that are written at once

INPUT_AREAS = 2  # of each image: one is filled while the other is computed from


@dataclass(frozen=True)
class InputPart:
    """The payload of a LOAD that the host brings, `offset` words from the input area's start."""

    step: Load
    offset: int


@dataclass(frozen=True)
class KeptBlock:
    """A data block that stays in the memory, from word `address` on."""

    step: Store
    address: int
    words: int


@dataclass(frozen=True)
class ReplayStage:
    """What one RUN does.

    Attributes
    ----------
    image : its words, which lie from word `address` on
    inputs : what the host brings first; input_words : size of an input area
    areas : first words of the input areas
    answers : the steps whose result blocks leave by the link, in order
    kept : blocks of tensors that the host reads after it
    """

    image: Words
    address: int
    inputs: tuple[InputPart, ...]
    input_words: int
    areas: tuple[int, ...]
    answers: tuple[Store | Query, ...]
    kept: tuple[KeptBlock, ...]


BoardStage: TypeAlias = ReplayStage | Host


@dataclass(frozen=True)
class BoardProgram:
    """A program for a memory.

    Attributes
    ----------
    program : what it was made from
    stages : in order
    words : of the memory that it takes
    spilled : words of tensors between the accelerator's own steps, at most at once
    """

    program: Program
    stages: tuple[BoardStage, ...]
    words: int
    spilled: int

    @property
    def replays(self) -> list[ReplayStage]:
        """The stages that are replayed."""
        return [stage for stage in self.stages if isinstance(stage, ReplayStage)]

    @property
    def digest(self) -> Words:
        """What tells these images from others: `DIGEST_WORDS` words."""
        images = np.concatenate([stage.image for stage in self.replays])
        return np.frombuffer(sha256(images.astype("<u8").tobytes()).digest(), dtype="<u8").astype(
            np.uint64
        )

    def writes(self) -> Iterator[tuple[int, Words]]:
        """(first word, words) of what is to be written, in order, to bring the images there.

        While they are written the memory's digest is that of no program.
        """
        yield 0, np.zeros(DIGEST_WORDS, dtype=np.uint64)
        for stage in self.replays:
            for first in range(0, len(stage.image), _PIECE):
                yield stage.address + first, stage.image[first : first + _PIECE]
        yield 0, self.digest


def board_program(program: Program) -> BoardProgram:
    """The images of a program and where everything lies.

    Raises
    ------
    RowforgeError
        If it does not fit the memory of its configuration.
    """
    return _Builder(program).build()


@dataclass
class _Draft:
    """A stage while it is made; gathers of the input area count from 0."""

    records: list[int] = field(default_factory=list)
    inline: list[Words] = field(default_factory=list)
    inputs: dict[tuple[int, object], InputPart] = field(default_factory=dict)
    input_words: int = 0
    answers: list[Store | Query] = field(default_factory=list)
    blocks: int = 0
    written: int = 0  # words of data blocks that the memory takes
    waited: int = 0

    def flush(self) -> None:
        """What has come for the command stream becomes a record."""
        words = [int(word) for part in self.inline for word in part]
        self.inline.clear()
        if words:
            self.records += [*record(RecordKind.INLINE, run=len(words)), *words]


class _Builder:
    """Makes a `BoardProgram`."""

    def __init__(self, program: Program):
        self.program = program
        self.config = program.config
        self.sources = TensorSources.of(program)
        self.units = WORD_BITS // unit_bits(self.config)  # of a word
        self.through_host = self._through_host()
        self.kept = (self.sources.stored & self.sources.loaded) - self.through_host
        self.blocks: dict[int, list[StoredBlock]] = defaultdict(list)  # by tensor, in the memory
        self.offsets: dict[int, KeptBlock] = {}  # by identity of the STORE

    def build(self) -> BoardProgram:
        found = stages(self.program, self.through_host)
        replays = [stage for stage in found if not isinstance(stage, Host)]
        spills, spilled = self._place_spills()
        # How long the images are does not depend on where things lie, so a first draft tells.
        sizes = self._drafts(replays, spills, 0)
        at = DIGEST_WORDS
        addresses, areas = [], []
        for image, _ in sizes:
            addresses.append(at)
            at += len(image)
        for _, draft in sizes:
            areas.append(tuple(at + i * draft.input_words for i in range(INPUT_AREAS)))
            at += INPUT_AREAS * draft.input_words
        drafts = self._drafts(replays, spills, at)
        total = at + spilled
        if total > self.config.memory.words:
            raise RowforgeError(
                f"{self.program.name} takes {total} words of the board's memory: memory.words "
                f"must be at least that, not {self.config.memory.words}"
            )
        made = iter(
            ReplayStage(
                image,
                address,
                tuple(draft.inputs.values()),
                draft.input_words,
                area,
                tuple(draft.answers),
                self._read_back(steps),
            )
            for (image, draft), address, area, steps in zip(
                drafts, addresses, areas, replays, strict=True
            )
        )
        done = tuple(stage if isinstance(stage, Host) else next(made) for stage in found)
        return BoardProgram(self.program, done, total, spilled)

    # ---- tensors --------------------------------------------------------------------------------

    def _through_host(self) -> frozenset[int]:
        """Tensors of which a LOAD needs words that no STORE gave as they are wanted."""
        blocks: dict[int, list[StoredBlock]] = defaultdict(list)
        found = set()
        for step in self.program.steps:
            if isinstance(step, Store):
                blocks[step.tensor].append(StoredBlock(step.box, 0, 0))
            elif isinstance(step, Load) and step.tensor in self.sources.stored:
                raw = self.program.tensors[step.tensor].raw
                if gathered(self.config, blocks[step.tensor], step.box, raw=raw) is None:
                    found.add(step.tensor)
        return frozenset(found)

    def _block_words(self, step: Store) -> int:
        return link_words(self.config, box_words(self.config, step.box, raw=step.raw))

    def _place_spills(self) -> tuple[Mapping[int, int], int]:
        """First words of the tensors that stay, counted from where they begin; and all words."""
        sizes: dict[int, int] = defaultdict(int)
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        steps = self.program.steps
        for number, step in enumerate(steps):
            if isinstance(step, Store | Load) and step.tensor in self.kept:
                first.setdefault(step.tensor, number)
                last[step.tensor] = number
                if isinstance(step, Store):
                    sizes[step.tensor] += self._block_words(step)
        for tensor in self.kept & self.sources.hosted:
            last[tensor] = len(steps)
        tensors = sorted(first)
        starts, total = place([Lifetime(sizes[t], first[t], last[t]) for t in tensors])
        return dict(zip(tensors, starts, strict=True)), total

    def _read_back(self, steps: Replayed) -> tuple[KeptBlock, ...]:
        return tuple(
            self.offsets[id(step)]
            for step in steps
            if isinstance(step, Store) and step.tensor in self.kept & self.sources.hosted
        )

    # ---- images ---------------------------------------------------------------------------------

    def _drafts(
        self, replays: Sequence[Replayed], spills: Mapping[int, int], base: int
    ) -> list[tuple[Words, _Draft]]:
        """The images with what they need, the spills lying from word `base` on."""
        self.blocks.clear()
        ends = dict.fromkeys(spills, 0)
        result = []
        for number, steps in enumerate(replays):
            for kept in self.blocks.values():
                kept[:] = [replace(block, after=0) for block in kept]
            draft = _Draft()
            begins = number == 0
            for step in split_begin(steps, 1 + BEGIN.words) if begins else steps:
                if isinstance(step, Store) and step.tensor in self.kept:
                    address = base + spills[step.tensor] + ends[step.tensor]
                    ends[step.tensor] += self._block_words(step)
                    self._keep(draft, step, address)
                else:
                    self._step(draft, step)
            draft.flush()
            header = image_header(
                config_hash=config_hash(self.config),
                begins=begins,
                ends=number == len(replays) - 1,
                blocks=draft.blocks,
            )
            words = np.array([*header, *draft.records], dtype=np.uint64)
            checksum = zlib.crc32(words.astype("<u8").tobytes())
            result.append((np.append(words, np.uint64(checksum)), draft))
        return result

    def _step(self, draft: _Draft, step: Step) -> None:
        match step:
            case Send():
                draft.inline.append(step.words)
            case Query():
                draft.inline.append(step.words)
                draft.answers.append(step)
                draft.blocks += 1
            case Store():
                draft.flush()
                words = self._block_words(step)
                draft.records += record(RecordKind.SCATTER, base=Base.LINK, run=words)
                draft.inline.append(step.words)
                draft.answers.append(step)
                draft.blocks += 1
            case Load():
                self._load(draft, step)

    def _keep(self, draft: _Draft, step: Store, address: int) -> None:
        """A data block stays in the memory."""
        words = self._block_words(step)
        draft.flush()
        draft.records += record(RecordKind.SCATTER, address=address, run=words)
        draft.inline.append(step.words)
        draft.blocks += 1
        draft.written += words
        self.blocks[step.tensor].append(StoredBlock(step.box, address, draft.written))
        self.offsets[id(step)] = KeptBlock(step, address, words)

    def _load(self, draft: _Draft, step: Load) -> None:
        raw = self.program.tensors[step.tensor].raw
        if step.tensor in self.kept:
            self._load_kept(draft, step, raw)
            return
        # Of a state the constant is what only its first run finds.
        changes = any(state.read == step.tensor for state in self.program.states)
        constant = None if changes else self.program.constants.get(step.tensor)
        draft.inline.append(step.words)
        if constant is not None:
            view = constant.reshape(self.program.tensors[step.tensor].view)
            draft.inline.append(pack_load(self.config, view, step.box, raw=raw))
            return
        words = load_words(self.config, step.box, raw=raw)
        key = step.tensor, step.box
        if key not in draft.inputs:
            draft.inputs[key] = InputPart(step, draft.input_words)
            draft.input_words += words
        part = draft.inputs[key]
        draft.flush()
        rows = GatheredRows(part.offset * self.units, words * self.units, 1, 0)
        draft.records += self._gather([rows], Base.INPUT)

    def _load_kept(self, draft: _Draft, step: Load, raw: bool) -> None:
        """A LOAD of what STOREs have left in the memory."""
        found = gathered(self.config, self.blocks[step.tensor], step.box, raw=raw)
        assert found is not None  # as `_through_host` has seen
        rows, after = found
        if after > draft.waited:
            draft.flush()
            draft.records += record(RecordKind.WAIT, address=after)
            draft.waited = after
        draft.inline.append(whole_words(self.config, step, raw=raw))
        draft.flush()
        draft.records += self._gather(rows, Base.ABSOLUTE)

    def _gather(self, rows: Sequence[GatheredRows], base: Base) -> list[int]:
        """The records of a payload."""
        words: list[int] = []
        for number, part in enumerate(rows):
            address, half = divmod(part.place, self.units)
            words += record(
                RecordKind.GATHER,
                base=base,
                address=address,
                half=half,
                run=part.run,
                rows=part.rows,
                pitch=part.pitch,
                last=number == len(rows) - 1,
            )
        return words
