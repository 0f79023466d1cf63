"""Emits a convolution by chunks of channels: see `compiler.schedule.chunks`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from compiler.mapper.space import MappedBlock, Plan
from compiler.nest.patterns import wave_psums
from compiler.nest.task import ConvTask, KeptPsums
from compiler.operators.convolve import ConvOperation
from compiler.operators.operation import Operand, size_of
from compiler.schedule.chunk_waves import (
    block_pieces,
    block_waves,
    finished_groups,
    group_span,
    plan_psums,
    result_places,
    touched_groups,
    wave_shape,
)
from compiler.schedule.chunks import ChunkTiling, chunk_boxes, chunk_plan
from compiler.schedule.slots import Slots
from compiler.schedule.space import Space
from compiler.schedule.tiling import check_count, tiles
from compiler.stream.hazards import Span
from compiler.stream.stream import StreamBuilder
from compiler.stream.surface import Surface, surface_words
from hw.arch.program import Box


class ChunkPipeline:
    """Tile after tile, chunk after chunk; the next chunk is loaded while one is computed.

    In the last chunk of a tile every wave is a command of its own, and what it completes is stored
    after the next wave.

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
        self.inputs = Slots(self.config, space.top, tiling.ifmap_words, 2)
        self.results = Slots(self.config, self.inputs.end, tiling.result_words, 1)
        space.check_fits(self.results.end, tiling.groups)
        check_count(operation, tiling.size)
        self.tiles = list(tiles(operation, tiling.size))
        self.boxes = [
            box
            for tile in self.tiles
            for box in chunk_boxes(operation.reach(tile, 0), tiling.chunk)
        ]
        self.loaded = 0
        self.finished: list[tuple[Box, Surface]] = []

    def run(self) -> int:
        """Emits everything; returns the number of tiles."""
        self._load()
        for number in range(len(self.tiles)):
            self._tile(number)
        self.stream.computing = False
        self._store()
        return len(self.tiles)

    def _tile(self, number: int) -> None:
        tile = self.tiles[number]
        plan = chunk_plan(self.operation, size_of(tile), self.tiling.chunk)
        starts = plan_psums(self.config, plan.shape, plan)
        places = iter(result_places(self.config, plan).waves)
        count = len(self.boxes) // len(self.tiles)
        common = self.operation.tile_task(self.stream, tile, self._place(number * count))
        for chunk in range(count):
            part = self._part(number * count + chunk)
            first = chunk * self.tiling.chunk
            task = replace(
                common,
                source=part.surface,
                weights=common.weights[..., first : first + self.tiling.chunk],
            )
            for block, start in zip(plan.blocks, starts, strict=False):
                job = _Job(plan, tile, part, task, chunk > 0, chunk < count - 1, starts[-1])
                if job.before:
                    self._accumulate(job, block, start)
                else:
                    self._finish(job, block, start, places)

    def _accumulate(self, job: "_Job", block: MappedBlock, start: int) -> None:
        """A chunk that is not the last: psums go back to the buffer."""
        # No result leaves before the last chunk: the address is never used.
        nowhere = _Target(Surface.dense(self.config, self.results.first, wave_shape(block)), 0)
        for piece, wave in block_pieces(self.config, job.plan.shape, block):
            self._emit(job, piece, nowhere, start, wave)
            self._store()

    def _finish(
        self, job: "_Job", block: MappedBlock, start: int, places: Iterator[tuple[int, ...]]
    ) -> None:
        """The last chunk of a block, wave by wave."""
        for index, wave in enumerate(block_waves(job.plan.shape, block)):
            shape = wave_shape(wave)
            surfaces = [self.results.surface(0, shape, at=first) for first in next(places)]
            target = self._target(wave, surfaces)
            self._emit(job, wave, target, start, index)
            self._store()
            self.finished = [
                (_results(job.tile, replace(wave, filters=group_span(wave, group))), surface)
                for group, surface in zip(finished_groups(wave), surfaces, strict=False)
            ]

    def _target(self, wave: MappedBlock, surfaces: Sequence[Surface]) -> "_Target":
        """Where a wave leaves the results of its filter groups."""
        first = surfaces[0]
        words = surface_words(self.config, wave_shape(wave))
        moves = tuple(
            surface.address - first.address - index * words
            for index, surface in enumerate(surfaces)
        )
        return _Target(
            replace(first, channels=first.channels * len(surfaces)),
            group_span(wave, touched_groups(wave)[0])[0],
            moves if any(moves) else (),
            tuple(surface.extent(self.config) for surface in surfaces),
        )

    def _emit(
        self, job: "_Job", block: MappedBlock, target: "_Target", start: int, wave: int
    ) -> None:
        """One command; its waves are those from number `wave` of the block on."""
        held = KeptPsums(
            first=start + wave * wave_psums(self.config, block.mapping),
            total=job.psums,
            after=job.after,
            before=job.before,
        )
        task = replace(
            job.task,
            target=target.surface,
            corner=(block.rows[0], block.columns[0], target.lane),
            psums=held,
            moves=target.moves,
            written=target.written,
        )
        self.operation.emit_chunk(self.stream, job.plan.shape, block, job.tile, task)
        self.stream.computing = True
        if self.loaded < len(self.boxes) and job.part.box is self.boxes[self.loaded - 1]:
            self._load()

    def _part(self, number: int) -> Operand:
        """A chunk that is in the buffer."""
        if not self.loaded - self.inputs.count <= number < self.loaded:
            raise AssertionError(f"chunk {number} is read with {self.loaded} chunks loaded")
        return self._place(number)

    def _place(self, number: int) -> Operand:
        box = self.boxes[number]
        return Operand(box, self.inputs.surface(number, size_of(box)))

    def _load(self) -> None:
        """The next chunk, into the buffer that the one before the present has left."""
        part = self._place(self.loaded)
        self.stream.load(self.source, part.box, part.surface)
        self.loaded += 1

    def _store(self) -> None:
        for box, surface in self.finished:
            self.stream.store(self.target, box, surface)
        self.finished = []


@dataclass(frozen=True)
class _Job:
    """A chunk of a tile: its mapping, channels, and what all its commands have in common.

    after, before : earlier, later chunks add to the same psums; psums : beats of all blocks
    """

    plan: Plan
    tile: Box
    part: Operand
    task: ConvTask
    after: bool
    before: bool
    psums: int


@dataclass(frozen=True)
class _Target:
    """Where a command leaves results, from filter `lane` of the tile on; see `ConvTask`."""

    surface: Surface
    lane: int
    moves: tuple[int, ...] = ()
    written: tuple[Span, ...] | None = None


def _results(tile: Box, wave: MappedBlock) -> Box:
    """The results of a wave in the layer's output."""
    rows, columns, channels = (
        (outer[0] + inner[0], outer[0] + inner[1])
        for outer, inner in (
            (tile.rows, wave.rows),
            (tile.columns, wave.columns),
            (tile.channels, wave.filters),
        )
    )
    return Box(tile.items, rows, columns, channels)
