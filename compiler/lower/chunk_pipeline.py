"""Emits a convolution by chunks of channels: see `compiler.lower.chunks`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from compiler.allocate import Space
from compiler.lower.chunks import (
    ChunkTiling,
    block_waves,
    chunk_boxes,
    chunk_plan,
    plan_psums,
    wave_shape,
)
from compiler.lower.conv import KeptPsums
from compiler.lower.convolve import ConvOperation
from compiler.lower.operation import Operand, size_of
from compiler.lower.patterns import wave_psums
from compiler.lower.stream import Stream
from compiler.lower.surface import Surface
from compiler.lower.tiling import check_count, tiles
from compiler.mapper.space import Block, Plan
from hw.arch.program import Box


class ChunkPipeline:
    """Tile after tile, chunk after chunk; the next chunk is loaded while one is computed.

    In the last chunk of a tile every wave is a command of its own, and its results are stored
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
        self.outputs = [top, top + tiling.wave_words]
        check_count(operation, tiling.size)
        self.tiles = list(tiles(operation, tiling.size))
        self.boxes = [
            box
            for tile in self.tiles
            for box in chunk_boxes(operation.reach(tile, 0), tiling.chunk)
        ]
        self.loaded = 0
        self.stored = 0
        self.finished: tuple[Box, Surface] | None = None

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
                held = KeptPsums(
                    first=start, total=starts[-1], after=chunk > 0, before=chunk < count - 1
                )
                if held.before:
                    surface = Surface.dense(
                        self.config, self.outputs[0], wave_shape(next(self._waves(plan, block)))
                    )
                    self._emit(plan, block, tile, part, surface, held)
                else:
                    self._finish(plan, block, tile, part, held)

    def _waves(self, plan: Plan, block: Block) -> Iterator[Block]:
        return block_waves(self.config, plan.shape, block)

    def _finish(self, plan: Plan, block: Block, tile: Box, part: Operand, held: KeptPsums) -> None:
        """The last chunk of a block, wave by wave."""
        beats = wave_psums(self.config, block.mapping)
        for index, wave in enumerate(self._waves(plan, block)):
            surface = Surface.dense(self.config, self.outputs[self.stored % 2], wave_shape(wave))
            self._emit(
                plan, wave, tile, part, surface, replace(held, first=held.first + index * beats)
            )
            self._store()
            self.stored += 1
            self.finished = (_results(tile, wave), surface)

    def _emit(
        self, plan: Plan, block: Block, tile: Box, part: Operand, surface: Surface, held: KeptPsums
    ) -> None:
        corner = (block.rows[0], block.columns[0], block.filters[0])
        self.operation.emit_chunk(
            self.stream, replace(plan, blocks=(block,)), tile, part, surface, corner, held
        )
        self.stream.computing = True
        if self.loaded < len(self.boxes) and part.box is self.boxes[self.loaded - 1]:
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
        if self.finished is not None:
            self.stream.store(self.target, *self.finished)
            self.finished = None


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
