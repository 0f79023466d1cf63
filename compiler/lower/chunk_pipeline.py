"""Emits a convolution by chunks of channels: see `compiler.lower.chunks`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from compiler.allocate import Space
from compiler.lower.chunk_waves import (
    block_pieces,
    block_waves,
    finished_groups,
    group_span,
    plan_psums,
    touched_groups,
    wave_shape,
)
from compiler.lower.chunks import ChunkTiling, chunk_boxes, chunk_plan
from compiler.lower.conv import KeptPsums
from compiler.lower.convolve import ChunkPlace, ConvOperation
from compiler.lower.hazards import Span
from compiler.lower.operation import Operand, Shape4, size_of
from compiler.lower.patterns import wave_psums
from compiler.lower.stream import Stream
from compiler.lower.surface import Surface, surface_words
from compiler.lower.tiling import check_count, tiles
from compiler.mapper.space import Block, Plan
from hw.arch.program import Box


class ChunkPipeline:
    """Tile after tile, chunk after chunk; the next chunk is loaded while one is computed.

    In the last chunk of a tile every wave is a command of its own, and what it completes is stored
    behind the next wave.

    Parameters
    ----------
    tensors : host tensors of the operand and the output
    space : what lies in the buffer besides
    """

    def __init__(
        self,
        stream: Stream,
        operation: ConvOperation,
        tiling: ChunkTiling,
        tensors: Sequence[int],
        space: Space,
    ) -> None:
        self.stream, self.operation, self.tiling = stream, operation, tiling
        self.config = stream.config
        self.source, self.target = tensors
        top = space.top
        self.inputs = [top, top + tiling.ifmap_words]
        top += 2 * tiling.ifmap_words
        self.results = top
        check_count(operation, tiling.size)
        self.tiles = list(tiles(operation, tiling.size))
        self.boxes = [
            box
            for tile in self.tiles
            for box in chunk_boxes(operation.reach(tile, 0), tiling.chunk)
        ]
        self.loaded = 0
        self.stored = 0
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
        count = len(self.boxes) // len(self.tiles)
        for chunk in range(count):
            part = self._place(number * count + chunk)
            for block, start in zip(plan.blocks, starts, strict=False):
                job = _Job(plan, tile, part, chunk > 0, chunk < count - 1, starts[-1])
                if job.before:
                    self._accumulate(job, block, start)
                else:
                    self._finish(job, block, start)

    def _accumulate(self, job: "_Job", block: Block, start: int) -> None:
        """A chunk that is not the last: psums go back to the buffer."""
        nowhere = _Target(Surface.dense(self.config, self.results, wave_shape(block)), 0)
        for piece, wave in block_pieces(self.config, job.plan.shape, block):
            self._emit(job, piece, nowhere, start, wave)
            self._store()

    def _finish(self, job: "_Job", block: Block, start: int) -> None:
        """The last chunk of a block, wave by wave."""
        for index, wave in enumerate(block_waves(job.plan.shape, block)):
            if block.mapping.linear:
                target, done = self._groups(wave)
            else:
                surface = self._slot(self.stored, wave_shape(wave))
                target, done = _Target(surface, wave.filters[0]), [(wave, surface)]
            self._emit(job, wave, target, start, index)
            self._store()
            self.stored += len(done)
            self.finished = [(_results(job.tile, part), surface) for part, surface in done]

    def _groups(self, wave: Block) -> tuple["_Target", list[tuple[Block, Surface]]]:
        """Where a wave of a linear mapping leaves its results; the groups that it finishes."""
        shape, first = wave_shape(wave), self.stored  # groups are completed in order
        slots = [self._slot(first + index, shape) for index in range(len(touched_groups(wave)))]
        whole = self._slot(first, (*shape[:3], shape[3] * len(slots)))
        words = surface_words(self.config, shape)
        moves = tuple(
            slot.address - whole.address - index * words for index, slot in enumerate(slots)
        )
        lane = group_span(wave, touched_groups(wave)[0])[0]
        done = [
            (replace(wave, filters=group_span(wave, group)), slot)
            for group, slot in zip(finished_groups(wave), slots, strict=False)
        ]
        written = tuple(slot.extent(self.config) for slot in slots)
        return _Target(whole, lane, moves, written), done

    def _slot(self, number: int, shape: Shape4) -> Surface:
        ring = self.tiling.ring
        address = self.results + number % ring.slots * ring.words
        return Surface.dense(self.config, address, shape)

    def _emit(self, job: "_Job", block: Block, target: "_Target", start: int, wave: int) -> None:
        """One command; its waves are those from number `wave` of the block on."""
        held = KeptPsums(
            first=start + wave * wave_psums(self.config, block.mapping),
            total=job.psums,
            after=job.after,
            before=job.before,
        )
        self.operation.emit_chunk(
            self.stream,
            job.plan.shape,
            block,
            job.tile,
            job.part,
            target.surface,
            ChunkPlace(
                corner=(block.rows[0], block.columns[0], target.lane),
                psums=held,
                moves=target.moves,
                written=target.written,
            ),
        )
        self.stream.computing = True
        if self.loaded < len(self.boxes) and job.part.box is self.boxes[self.loaded - 1]:
            self._load()

    def _place(self, number: int) -> Operand:
        box = self.boxes[number]
        surface = Surface.dense(self.config, self.inputs[number % 2], size_of(box))
        return Operand(box, surface)

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
    """A chunk of a tile.

    after, before : earlier, later chunks add to the same psums; psums : beats of all blocks
    """

    plan: Plan
    tile: Box
    part: Operand
    after: bool
    before: bool
    psums: int


@dataclass(frozen=True)
class _Target:
    """Where a command leaves results, from filter `lane` of the tile on; see `ChunkPlace`."""

    surface: Surface
    lane: int
    moves: tuple[int, ...] = ()
    written: tuple[Span, ...] | None = None


def _results(tile: Box, wave: Block) -> Box:
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
