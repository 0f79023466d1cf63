"""Emits a convolution by chunks of channels: see `compiler.schedule.chunks`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from compiler.mapper.columns import wave_psums
from compiler.mapper.space import ConvShape, MappedBlock, Plan
from compiler.nest.task import ConvTask, KeptPsums, Portion
from compiler.operators.convolve import ConvOperation
from compiler.operators.operation import Operand, size_of
from compiler.schedule.chunk_cuts import shares
from compiler.schedule.chunk_endings import ending
from compiler.schedule.chunk_waves import (
    Wave,
    filter_waves,
    finished_groups,
    finishing_waves,
    group_span,
    plan_psums,
    result_places,
    single_waves,
    touched_groups,
    wave_shape,
)
from compiler.schedule.chunks import ChunkTiling, chunk_boxes, chunk_plan, nest_size
from compiler.schedule.parts.pieces import pieces
from compiler.schedule.parts.slots import Slots
from compiler.schedule.space import Space
from compiler.schedule.tiling import check_count, tiles
from compiler.stream.stream import StreamBuilder
from compiler.stream.surface import Surface, surface_words
from hw.arch.program import Box


class ChunkPipeline:
    """Tile after tile, chunk after chunk; the next chunk is loaded while one is computed.

    A command has the waves of one set of filters, which stay in the PEs from wave to wave. In the
    last chunk of a tile the pass that finishes sums is a command for every wave, and what it
    completes is stored after the next one. After every command come pieces of the next chunk. Where
    two chunks do not fit, they are cut by items: a command is a pass of a cut, and what the last
    pass of a chunk has read is free for the next chunk.

    Parameters
    ----------
    tensors : host tensors of the operand and the output
    space : what lies in the buffer besides
    """

    def __init__(
        self,
        stream: StreamBuilder,
        operation: ConvOperation,
        tiling: ChunkTiling,
        tensors: Sequence[int],
        space: Space,
    ) -> None:
        self.stream, self.operation, self.tiling = stream, operation, tiling
        self.config = stream.config
        self.source, self.target = tensors
        self.inputs = Slots(self.config, space.top, tiling.ifmap_words, tiling.buffers)
        self.results = Slots(self.config, self.inputs.end, tiling.result_words, tiling.areas)
        space.check_fits(self.results.end, tiling.groups)
        check_count(operation, tiling.size)
        self.tiles = list(tiles(operation, tiling.size))
        self.boxes = [
            box
            for tile in self.tiles
            for box in chunk_boxes(operation.reach(tile, 0), tiling.chunk, tiling.cuts)
        ]
        self.loaded = 0
        self.pieces: list[Operand] = []
        self.finished: list[tuple[Box, Surface]] = []

    def run(self) -> int:
        """Emits everything; returns the number of tiles."""
        for number in range(len(self.tiles)):
            self._tile(number)
        self.stream.computing = False
        self._store()
        return len(self.tiles)

    def _tile(self, number: int) -> None:
        tile = self.tiles[number]
        size = nest_size(size_of(tile), self.tiling.even)
        plan = chunk_plan(self.operation, size, self.tiling.chunk)
        cuts = self.tiling.cuts
        count = len(self.boxes) // len(self.tiles) // cuts
        common = self.operation.tile_task(self.stream, tile, self._place(number * count * cuts))
        total = plan_psums(self.config, plan.shape, plan)[-1]
        waves = list(self._filter_waves(plan))
        for chunk in range(count):
            first = chunk * self.tiling.chunk
            weights = common.weights[..., first : first + self.tiling.chunk]
            part = (number * count + chunk) * cuts
            task = replace(common, weights=weights)
            job = _Job(plan, waves, number, part, tile, task, chunk > 0, total)
            finishes = chunk == count - 1
            commands = list(self._finishing(job) if finishes else self._accumulating(job))
            last = {command.cut: index for index, command in enumerate(commands)}
            for index, command in enumerate(commands):
                self._emit(job, command)
                self._prefetch(part, index, len(commands), last)

    # ---- commands -------------------------------------------------------------------------------

    def _accumulating(self, job: "_Job") -> Iterator["_Command"]:
        """A chunk that is not the last: psums go back to the buffer."""
        for part, psum in job.waves:
            yield from self._unfinished(job, part, psum, None)

    def _finishing(self, job: "_Job") -> Iterator["_Command"]:
        """The last chunk: what finishes sums comes wave by wave."""
        shape = job.plan.shape
        slices = self.tiling.slices
        places = iter(result_places(self.config, job.plan, slices).waves)
        for part, psum in job.waves:
            cut = ending(self.config, shape, part)
            for portion in cut.before:
                yield from self._unfinished(job, cut.share(part, portion), psum, portion)
            waves = finishing_waves(self.config, shape, part, cut, slices)
            for index, wave in enumerate(waves):
                firsts = next(places)
                yield _Command(
                    shape=replace(shape, N=part.mapping.cn),
                    wave=wave,
                    target=self._target(job.number, wave.block, firsts),
                    psum=psum + wave.psum,
                    windows=part.mapping.windows,
                    portion=cut.last,
                    cut=wave.item // (shape.N // self.tiling.cuts),
                    finishes=True,
                    reuse=cut.shared and index > 0,
                    keep=cut.shared and index < len(waves) - 1,
                )

    def _filter_waves(self, plan: Plan) -> Iterator[tuple[MappedBlock, int]]:
        """(waves with filters in common, first psum beat of the first of them)."""
        shape = plan.shape
        starts = plan_psums(self.config, shape, plan)
        for block, start in zip(plan.blocks, starts, strict=False):
            psum = start
            for part in filter_waves(shape, block):
                yield part, psum
                waves = len(single_waves(self.config, shape, part))
                psum += waves * wave_psums(self.config, block.mapping)

    def _unfinished(
        self, job: "_Job", part: MappedBlock, psum: int, portion: Portion | None
    ) -> Iterator["_Command"]:
        # No result leaves: the address is never used.
        nowhere = _Target(Surface.dense(self.config, self.results.first, wave_shape(part)), 0)
        shape, cuts = job.plan.shape, self.tiling.cuts
        if cuts == 1:
            yield _Command(shape, Wave(0, part), nowhere, psum, part.mapping.windows, portion)
            return
        for share in shares(self.config, shape, part, portion, cuts):
            yield _Command(
                shape=replace(shape, N=shape.N // cuts),
                wave=Wave(share.item, share.block),
                target=nowhere,
                psum=psum + share.psum,
                windows=part.mapping.windows,
                portion=share.portion,
                cut=share.cut,
                reuse=share.reuse,
                keep=share.keep,
            )

    def _target(self, number: int, wave: MappedBlock, firsts: Sequence[int]) -> "_Target":
        """Where a wave leaves the results of its filter groups."""
        shape = wave_shape(wave)
        surfaces = [self.results.surface(number, shape, at=first) for first in firsts]
        first = surfaces[0]
        words = surface_words(self.config, (1, *shape[1:]))
        moves = tuple(
            surface.address - first.address - index * words
            for index, surface in enumerate(surfaces)
        )
        return _Target(
            replace(first, channels=first.channels * len(surfaces)),
            group_span(wave, touched_groups(wave)[0])[0],
            moves if any(moves) else (),
            tuple(surfaces),
        )

    def _emit(self, job: "_Job", command: "_Command") -> None:
        """One command, then the STORE of what the one before has finished."""
        block, target = command.wave.block, command.target
        part = self._part(job.part + command.cut)
        source, portion = part.surface, command.portion
        items = command.shape.N
        first = job.tile.items[0] + command.wave.item
        address = source.address + (first - part.box.items[0]) * source.item_stride
        task = replace(
            job.task,
            source=replace(source, address=address, items=items),
            target=target.surface,
            corner=(block.rows[0], block.columns[0], target.lane),
            psums=KeptPsums(
                first=command.psum,
                total=job.psums,
                windows=command.windows,
                after=job.after or (portion is not None and portion.continues),
                before=not command.finishes,
            ),
            moves=target.moves,
            written=tuple(surface.extent(self.config) for surface in target.surfaces),
            portion=portion,
            reuse=command.reuse,
            keep=command.keep,
        )
        box = replace(job.tile, items=(first, first + items))
        self.operation.emit_chunk(self.stream, command.shape, block, box, task)
        self.stream.computing = True
        self._store()
        if command.finishes:
            for group, surface in zip(finished_groups(block), target.surfaces, strict=False):
                wanted = _results(box, replace(block, filters=group_span(block, group)))
                if wanted is not None:
                    _, rows, columns, channels = size_of(wanted)
                    window = (0, rows), (0, columns), (0, channels)
                    self.finished.append((wanted, surface.window(self.config, *window)))

    # ---- transfers ------------------------------------------------------------------------------

    def _part(self, number: int) -> Operand:
        """A part that is in the buffer; what is not there yet is loaded now."""
        if number == self.loaded:
            self.stream.computing = False
            self._load(self.pieces or [self._place(number)])
            self.pieces, self.loaded = [], number + 1
        if not self.loaded - self.inputs.count <= number < self.loaded:
            raise AssertionError(f"part {number} is read with {self.loaded} parts loaded")
        return self._place(number)

    def _place(self, number: int) -> Operand:
        box = self.boxes[number]
        return Operand(box, self.inputs.surface(number, size_of(box)))

    def _prefetch(self, part: int, index: int, count: int, last: Mapping[int, int]) -> None:
        """Pieces of the parts that are needed next, after a command of a chunk.

        They go into a buffer which no command reads but those before this one.

        part : the first of the chunk; index, count : of the command, and of all its commands
        last : the last command that reads each of its parts
        """
        cuts = self.tiling.cuts
        end = min(part + 2 * cuts, len(self.boxes))
        while self.loaded < end:
            number = self.loaded
            left_by = number - self.inputs.count - part
            if left_by >= 0 and last[left_by] >= index:
                return
            # Commands until it is needed, this one included, and what each of them should bring.
            left = number % cuts - index + (count if number >= part + cuts else 0)
            turns = max(left // (end - number), 1)
            if not self.pieces:
                self.pieces = list(pieces(self.config, self._place(number), turns))
            brought = ceil(len(self.pieces) / turns)
            self._load(self.pieces[:brought])
            self.pieces = self.pieces[brought:]
            if self.pieces:
                return
            self.loaded += 1

    def _load(self, parts: Sequence[Operand]) -> None:
        for part in parts:
            self.stream.load(self.source, part.box, part.surface)

    def _store(self) -> None:
        for box, surface in self.finished:
            self.stream.store(self.target, box, surface)
        self.finished = []


@dataclass(frozen=True)
class _Job:
    """A chunk of a tile: its mapping, channels, and what all its commands have in common.

    waves : with filters in common, and the first psum beat of the first of them
    number : of the tile; part : the first of the chunk
    after : earlier chunks have added to the same psums
    psums : beats of all blocks
    """

    plan: Plan
    waves: Sequence[tuple[MappedBlock, int]]
    number: int
    part: int
    tile: Box
    task: ConvTask
    after: bool
    psums: int


@dataclass(frozen=True)
class _Target:
    """Where a command leaves results, from filter `lane` of the tile on; see `ConvTask`.

    surfaces : of each filter group
    """

    surface: Surface
    lane: int
    moves: tuple[int, ...] = ()
    surfaces: tuple[Surface, ...] = ()


@dataclass(frozen=True)
class _Command:
    """A command: waves with filters in common, all of them or one; see `ConvTask`.

    shape : of the nest, with the items of the waves; psum : first beat
    windows : of a wave as its psums lie, see `KeptPsums`
    cut : of the items, whose part it reads; finishes : sums become results
    """

    shape: ConvShape
    wave: Wave
    target: _Target
    psum: int
    windows: int
    portion: Portion | None
    cut: int = 0
    finishes: bool = False
    reuse: bool = False
    keep: bool = False


def _results(tile: Box, wave: MappedBlock) -> Box | None:
    """The results of a wave in the layer's output; None if it has but rows that nobody wants."""
    rows, columns, channels = (
        (outer[0] + inner[0], min(outer[0] + inner[1], outer[1]))
        for outer, inner in (
            (tile.rows, wave.rows),
            (tile.columns, wave.columns),
            (tile.channels, wave.filters),
        )
    )
    return Box(tile.items, rows, columns, channels) if rows[0] < rows[1] else None
