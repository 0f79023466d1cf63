"""`Conv` nodes as convolution nests: groups, flat 1 x 1 layers, weights and output stages."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.cache.plans import kept_flat_plans, kept_search
from compiler.ir.ops import Conv
from compiler.mapper.cost import Cost
from compiler.mapper.explain import summary
from compiler.mapper.objective import SPARING
from compiler.mapper.search import least_cycles, search
from compiler.mapper.space import ConvShape, MappedBlock, Plan
from compiler.nest.cells import cell_images, cell_words
from compiler.nest.flat import flat_task
from compiler.nest.images import FilterImage, FilterPlaces
from compiler.nest.locate import Part
from compiler.nest.lowering import Lowering, lower_nest, nest_images
from compiler.nest.task import ConvTask
from compiler.operators.channels import channel_parts, channel_step
from compiler.operators.cuts import Span
from compiler.operators.operation import (
    Fetched,
    Operand,
    Operation,
    OperationReport,
    Shape4,
    fetched_by,
    map_extent,
    part_window,
    size_of,
    window_bends,
    window_reach,
)
from compiler.operators.params import stage_output, stage_params
from compiler.operators.weights import array_bias, array_zero_point, stored_weights
from compiler.stream.stream import StreamBuilder
from compiler.stream.surface import Surface
from compiler.stream.tables import packed_params
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Box, Words
from numerics.quantisation import Requant, RoundingRule, WindowStage


@dataclass(frozen=True)
class _Nest:
    """A nest of a tile; `pixel`, `width`: the first pixel and the row of a flat one, else 0."""

    task: ConvTask
    plan: Plan
    pixel: int
    width: int


class ConvOperation(Operation):
    """A convolution; plain, grouped (as several nests) or depthwise."""

    def __init__(self, config: Config, node: Conv, signed: bool, objective: str) -> None:
        self.config, self.node, self.name = config, node, node.name
        # Within a tile the product of energy and cycles follows energy: cycles differ little.
        self.objective = "energy" if objective == "edp" else objective
        self.aim = SPARING if objective == "cycles" else self.objective
        self.signed = signed
        E, F, M = node.output_image
        self.sources = ((node.batch, *node.image),)
        self.target = (node.batch, E, F, M)
        self.raw = isinstance(node.stage, Requant) and node.stage.rounding is RoundingRule.RAW
        self.weights = stored_weights(config, node)
        self._nest_shapes: dict[tuple[Shape4, int], tuple[ConvShape, int]] = {}
        self.multiplier = self._depthwise_multiplier()
        self.together = 1 if self.multiplier else self._groups_together()
        self.nest_channels = 0 if self.multiplier else M // node.groups * self.together
        self.follows_channels = node.groups > self.together or bool(self.multiplier)
        groups = node.groups if self.follows_channels else 0
        inputs = self.together * node.weights.shape[3]
        self.channel_step = channel_step(config, M, groups, self.together, inputs, self.multiplier)
        self.most_channels = config.post.channels // self.channel_step * self.channel_step
        if self.most_channels == 0:
            raise RowforgeError(
                f"{node.name}: post.channels must be at least {self.channel_step}, "
                f"not {config.post.channels}"
            )
        self.parts: list[Part] = []
        self.buffered: FilterPlaces | None = None  # of the commands that `emit` appends
        alone = self.together == 1 and not self.multiplier
        self.channel_parts = channel_parts(config, M, groups) if alone else ()
        self.least_cycles = node.macs // config.multipliers
        self.stored_filters = 0 if self.multiplier else cell_words(config, node.weights.shape)
        geometry = (node.stride, node.pad, node.dilation, node.groups, node.weights.shape)
        self.signature = (self.sources, self.target, geometry, self.raw)
        columns = stage_params(node.stage, array_bias(config, node), node.name)
        self._packed: dict[tuple[int, int], Words] = {}
        self._lowerings: dict[Hashable, Lowering] = {}
        self.params = tuple(np.asarray(column, dtype=np.int64) for column in columns)

    def report(self) -> OperationReport:
        placed = [(part.shape, part.block) for part in self.parts]
        load = sum((block.load for _, block in placed), Cost())
        mapping = {**summary(self.config, placed), "parts": [part.as_dict() for part in self.parts]}
        reads = fetched_by(self.config, load).reads
        return OperationReport(load.cycles, load.accesses, load.bound, mapping, reads)

    # ---- geometry -----------------------------------------------------------------------------

    def _depthwise_multiplier(self) -> int:
        """Filters a channel if PEs can hold a beat of channels with psums of their own; else 0."""
        node, config = self.node, self.config
        M, _, _, C = node.weights.shape
        if C != 1 or node.groups == 1:
            return 0
        each = int(M // node.groups)
        shape = ConvShape(N=1, M=M, C=node.groups, E=1, F=1, R=1, S=1, multiplier=each)
        try:
            kept_search(config, shape, 0)
        except RowforgeError:
            return 0
        return each

    def _groups_together(self) -> int:
        """Groups that form one nest, so that nests begin at whole ifmap and output beats."""
        node, config = self.node, self.config
        M, _, _, C = node.weights.shape
        for count in range(1, node.groups):
            inputs, outputs = count * C, count * (M // node.groups)
            if (
                node.groups % count == 0
                and inputs % config.noc.ifmap == 0
                and outputs % config.post.units == 0
            ):
                return count
        return node.groups

    def _window(self, along: int) -> dict[str, int]:
        """The window's geometry along rows (0) or columns (1)."""
        node = self.node
        return {
            "stride": node.stride[along],
            "pad": node.pad[along],
            "taps": node.weights.shape[along + 1],
            "dilation": node.dilation[along],
        }

    def bends(self, axis: int, operand: int) -> Sequence[int] | None:
        if axis in (1, 2):
            return window_bends(self.node.image[axis - 1], **self._window(axis - 1))
        return None if axis == 3 and self.follows_channels else ()

    def reach_along(self, axis: int, span: Span, operand: int) -> Span:
        node = self.node
        if axis == 0:
            return span
        if axis < 3:
            return window_reach(span, node.image[axis - 1], **self._window(axis - 1))
        if not self.follows_channels:
            return 0, node.image[2]
        each, per_group = self.target[3] // node.groups, node.weights.shape[3]
        return span[0] // each * per_group, -(-span[1] // each) * per_group

    def extent(self, size: Shape4) -> tuple[int, int]:
        node = self.node
        _, R, S, _ = node.weights.shape
        taps = ((R - 1) * node.dilation[0] + 1, (S - 1) * node.dilation[1] + 1)
        return map_extent(size, node.stride, taps)

    # ---- nests --------------------------------------------------------------------------------

    def nest_shape(self, size: Shape4, chunk: int = 0) -> tuple[ConvShape, int]:
        """(shape of a nest of a tile, how many nests the tile has).

        `chunk`: channels of the nest, whose psums are continued by others.
        """
        key = size, chunk
        if key not in self._nest_shapes:  # schedules ask for the same ones by the thousand
            self._nest_shapes[key] = self._nest_shape(size, chunk)
        return self._nest_shapes[key]

    def _nest_shape(self, size: Shape4, chunk: int) -> tuple[ConvShape, int]:
        node = self.node
        items, E, F, M = size
        _, R, S, C = node.weights.shape
        count, channels = 1, C * self.together
        if self.multiplier:
            channels = M // self.multiplier
        elif self.follows_channels:
            filters = self.target[3] // node.groups * self.together
            count, M = max(M // filters, 1), min(M, filters)
        shape = ConvShape(
            N=items,
            M=M,
            C=chunk or channels,
            E=E,
            F=F,
            R=R,
            S=S,
            stride=node.stride,
            dilation=node.dilation,
            multiplier=self.multiplier,
            exact=count > 1 or 0 < chunk < channels,
            partial=chunk > 0,
        )
        return shape, count

    def cycles(self, size: Shape4, psum_beats: int, *, rough: bool = False) -> int:
        shape, count = self.nest_shape(size)
        try:
            if rough:
                quick = search(self.config, shape, psum_beats, self.objective, quick=True)
                return count * quick.cycles
            plans = self._plans(shape, psum_beats, flat=self._flat_tile(size))
        except RowforgeError as error:
            raise RowforgeError(f"{self.name}: {error}") from None
        return count * sum(plan.cycles for plan, _ in plans)

    def check(self, size: Shape4, psum_beats: int) -> None:
        shape, _ = self.nest_shape(size)
        try:
            kept_search(self.config, shape, psum_beats, self.objective, quick=True)
        except RowforgeError as error:
            raise RowforgeError(f"{self.name}: {error}") from None

    def least_tile_cycles(self, size: Shape4) -> int:
        shape, count = self.nest_shape(size)
        return count * least_cycles(self.config, shape, self.objective)

    def fetched(self, size: Shape4, psum_beats: int) -> Fetched:
        shape, count = self.nest_shape(size)
        plan = search(self.config, shape, psum_beats, self.objective, quick=True)
        return fetched_by(self.config, plan.load) * count

    def image_words(self, sizes: Iterable[Shape4], psum_beats: int) -> int | None:
        images: dict[Hashable, int] = {}
        for size in sizes:
            shape, _ = self.nest_shape(size)
            for plan, _ in self._plans(shape, psum_beats, flat=self._flat_tile(size)):
                found = cell_images(self.config, plan)
                if found is None:
                    return None
                images.update(found)
        return sum(images.values())

    def _flat_tile(self, size: Shape4) -> bool:
        """Whether a tile's pixels may be taken as one long row: 1 x 1, all columns."""
        node = self.node
        _, R, S, _ = node.weights.shape
        plain = (R, S) == (1, 1) and node.stride == (1, 1) and not any(node.pad)
        return plain and size[2] == self.target[2]

    def _plans(self, shape: ConvShape, psum_beats: int, *, flat: bool) -> list[tuple[Plan, int]]:
        """Plans and the first pixel that each serves; several for a flat layer."""
        if not flat or shape.E * shape.F == 1:
            return [(kept_search(self.config, shape, psum_beats, self.aim), 0)]
        return kept_flat_plans(self.config, shape, psum_beats, self.aim)

    # ---- commands -----------------------------------------------------------------------------

    def emit(
        self,
        stream: StreamBuilder,
        tile: Box,
        parts: Sequence[Operand],
        target: Surface,
        psum_beats: int,
    ) -> None:
        first, last = tile.channels
        param = stream.packed_params(self._tile_params(first, last))
        for nest in self._nests(tile, parts, target, psum_beats):
            task = replace(nest.task, buffered=self.buffered)
            task = replace(task, output={**task.output, "param": param})
            starts = (tile.items[0], tile.rows[0], tile.columns[0], first + task.channel)
            emitted = lower_nest(stream, nest.plan, task)
            self.parts += [
                Part(command, starts, nest.width, nest.pixel, nest.plan.shape, block)
                for command, block in emitted
            ]

    def filter_images(
        self,
        stream: StreamBuilder,
        tile: Box,
        parts: Sequence[Operand],
        target: Surface,
        psum_beats: int,
    ) -> tuple[list[FilterImage], int]:
        """Images of the commands that `emit` would append, and the lowest word of their psums."""
        images: list[FilterImage] = []
        floor = self.config.buffer.banks * self.config.buffer.depth
        for nest in self._nests(tile, parts, target, psum_beats):
            task = replace(nest.task, output={**nest.task.output, "param": 0})
            for found, psums in nest_images(stream, nest.plan, task):
                images += found
                floor = min([floor, *(begin for begin, _ in psums)])
        return images, floor

    def _nests(
        self, tile: Box, parts: Sequence[Operand], target: Surface, psum_beats: int
    ) -> Iterator[_Nest]:
        """The nests of a tile, their tasks without parameters."""
        shape, count = self.nest_shape(size_of(tile))
        reach = self.reach(tile, 0)
        source = part_window(self.config, parts[0], reach)
        flat = self._flat_tile(size_of(tile)) and source.contiguous and target.contiguous
        plans = self._plans(shape, psum_beats, flat=flat)
        for index in range(count):
            task = self._task(tile, reach, source, target, index, shape)
            for plan, pixel in plans:
                placed = flat_task(task, plan, pixel) if flat else task
                yield _Nest(placed, plan, pixel, self.target[2] if flat else 0)

    def _tile_params(self, first: int, last: int) -> Words:
        """Output stages of these channels."""
        if (first, last) not in self._packed:
            columns = (column[first:last] for column in self.params)
            self._packed[first, last] = packed_params(self.config, *columns)
        return self._packed[first, last]

    def tile_task(self, stream: StreamBuilder, tile: Box, part: Operand) -> ConvTask:
        """What the commands of a tile have in common; `part` holds its first channels."""
        shape, _ = self.nest_shape(size_of(tile))
        task = self._task(tile, part.box, part.surface, part.surface, 0, shape)
        param = stream.packed_params(self._tile_params(*tile.channels))
        return replace(task, output={**task.output, "param": param})

    def emit_chunk(
        self, stream: StreamBuilder, shape: ConvShape, block: MappedBlock, tile: Box, task: ConvTask
    ) -> None:
        """Emits the commands of some waves, `block`; shape and task have a chunk's channels."""
        assert task.psums is not None
        origin = (tile.items[0], tile.rows[0], tile.columns[0], tile.channels[0])
        done = not task.psums.before
        self.parts.append(
            Part(stream.conv_commands, origin, 0, 0, shape, block, done, task.portion)
        )
        self._lowering(stream, shape, block, task).emit()

    def _lowering(
        self, stream: StreamBuilder, shape: ConvShape, block: MappedBlock, task: ConvTask
    ) -> Lowering:
        """Commands of chunks differ in addresses most often: what is common is kept."""
        source, target, psums = task.source, task.target, task.psums
        assert psums is not None
        key = (
            *(shape, block, task.y, task.x, task.output["param"], task.moves, psums.after),
            *(task.portion, task.reuse, task.keep, psums.windows, source.item_stride, source.items),
            *(psums.before, psums.total, source.height, source.width, source.row_stride),
            *(source.plane_stride, target.row_stride, target.plane_stride, target.item_stride),
        )
        found = self._lowerings.get(key)
        if found is None:
            self._lowerings[key] = found = Lowering(stream, shape, block, task)
        return found.at(task)

    def _task(
        self,
        tile: Box,
        reach: Box,
        source: Surface,
        target: Surface,
        index: int,
        shape: ConvShape,
    ) -> ConvTask:
        node = self.node
        channel = index * shape.M
        first = tile.channels[0] + channel
        lane = index * shape.C if self.follows_channels and not self.multiplier else 0
        block, lane = divmod(lane, self.config.lanes)
        source = replace(source, address=source.address + block * source.plane_stride)
        return ConvTask(
            weights=self._nest_weights(first, shape.M),
            weight_zero=self.weights.zero,
            weight_signed=True,
            source=source,
            target=target,
            y=tile.rows[0] * node.stride[0] - node.pad[0] - reach.rows[0],
            x=tile.columns[0] * node.stride[1] - node.pad[1] - reach.columns[0],
            lane=lane,
            channel=channel,
            zero=array_zero_point(self.config, node),
            signed=self.signed,
            window_shift=node.stage.window if isinstance(node.stage, WindowStage) else 0,
            output=stage_output(node.stage),
            key=(first, shape.M),
        )

    def _nest_weights(self, first: int, count: int) -> NDArray[Any]:
        """Filters `first` and on; nests that join groups have zeros for the others' channels."""
        weights = self.weights.values
        if self.together == 1:
            return weights[first : first + count]
        total, R, S, C = weights.shape
        each = total // self.node.groups
        dense = np.full((count, R, S, C * self.together), self.weights.zero, dtype=weights.dtype)
        for index in range(count):
            group = (first + index) // each % self.together
            dense[index, ..., group * C : (group + 1) * C] = weights[first + index]
        return dense
