"""Lowers one convolution nest: a plan, its weights and two surfaces become CONV commands."""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import cached_property
from itertools import product
from math import ceil, prod

import numpy as np

from compiler.mapper.columns import filter_groups, wave_psums
from compiler.mapper.folding import RowPass, fold_run
from compiler.mapper.legal import tag_span
from compiler.mapper.passes import pixels
from compiler.mapper.resources.work import filter_beats, multiply_steps
from compiler.mapper.space import ConvShape, FilterSpan, MappedBlock, Plan, Run, tap_ranges
from compiler.nest.cells import cell_filters_of
from compiler.nest.command import NestCommand
from compiler.nest.command_filters import CommandFilters
from compiler.nest.filters import FilterBank, filter_bank
from compiler.nest.images import FilterImage
from compiler.nest.patterns import NestOperands, column_pattern, row_patterns
from compiler.nest.task import ConvTask
from compiler.nest.waves import loop_order, wave_loops, wave_parts
from compiler.stream.conv import Nest
from compiler.stream.counts import check_counts
from compiler.stream.hazards import BufferAccess, Span
from compiler.stream.loops import Loop, loop_records, recorded, wrapped
from compiler.stream.stream import StreamBuilder
from compiler.stream.timeline import Work
from hw.arch.commands import BASES, CONSTANTS
from hw.arch.program.layout import psum_beats, psum_floor


def lower_nest(stream: StreamBuilder, plan: Plan, task: ConvTask) -> list[tuple[int, MappedBlock]]:
    """Emits the CONV commands of every block; returns (first command of the layer, block) pairs.

    Blocks that wait for filters to be loaded go last: the others hide that.
    """
    lowerings = list(_lowerings(stream, plan, task))
    if (places := task.buffered) is not None:
        lowerings.sort(key=lambda each: any(places.waits(image) for image in each.images()))
    emitted = []
    for lowering in lowerings:
        emitted.append((stream.conv_commands, lowering.block))
        lowering.emit()
    return emitted


def nest_images(
    stream: StreamBuilder, plan: Plan, task: ConvTask
) -> Iterator[tuple[list[FilterImage], tuple[Span, ...]]]:
    """Of every block that `lower_nest` would emit: the images of its commands, where psums wait."""
    for lowering in _lowerings(stream, plan, task):
        yield lowering.images(), lowering.waiting


def _lowerings(stream: StreamBuilder, plan: Plan, task: ConvTask) -> Iterator["Lowering"]:
    for block in plan.blocks:
        for part in wave_parts(stream.config, plan.shape, block):
            shared = cell_filters_of(stream.config, plan, part)
            yield Lowering(stream, plan.shape, part, replace(task, shared=shared))


class Lowering:
    """One block of one nest, which `wave_parts` yielded."""

    def __init__(
        self, stream: StreamBuilder, shape: ConvShape, block: MappedBlock, task: ConvTask
    ) -> None:
        self.stream, self.shape, self.block, self.task = stream, shape, block, task
        self.config = stream.config
        self.mapping = block.mapping
        self.fold = block.mapping.fold
        self._banks: dict[FilterSpan, FilterBank] = {}
        self.waves = wave_loops(self.config, shape, block)

    def bank(self, filters: FilterSpan) -> FilterBank:
        """The filters of the block, or of its image."""
        if filters not in self._banks:
            weights, zero = self.task.weights[slice(*filters)], self.task.weight_zero
            bank = filter_bank(self.config, self.shape, self.mapping, weights, zero)
            self._banks[filters] = bank
        return self._banks[filters]

    def at(self, task: ConvTask) -> "Lowering":
        """The same block for operands that differ in their addresses, psums and values alone."""
        self.commands, self.waiting  # made here, once for all copies
        moved = copy(self)
        moved.task = task
        moved._banks = {}
        return moved

    def emit(self) -> None:
        """All commands of the block."""
        for item in self.commands:
            access, bases, read = self._access(), self._bases(item.moved), 0
            filters = self._filters(item)
            if self.task.buffered is not None and item.length:
                placed = filters.placed(self._beats, self._work.cycles)
                place = self.task.buffered(placed.image) if placed is not None else None
                if placed is not None and place is not None:
                    image = placed.image
                    read = image.taken
                    access = replace(access, filters=((place, place + image.words),))
                    bases["weights"] = place + placed.start
                    item = item.from_buffer(placed)
            bases["rows"] += self.stream.row_patterns(item.rows)
            bases["columns"] += self.stream.column_patterns(item.columns)
            tail = BASES.pack(wrapped({k: v for k, v in bases.items() if k in BASES.offsets}))
            tail += item.records
            self.stream.conv(
                Nest(item.constants, tail), item.length, filters.made, access, read, self._work
            )

    def images(self) -> list[FilterImage]:
        """Of the commands that are sent filters and can take them from the buffer."""
        found = [
            self._filters(item).placed(self._beats, self._work.cycles)
            for item in self.commands
            if item.length
        ]
        return [placed.image for placed in found if placed is not None]

    @property
    def _work(self) -> Work:
        """Of a command, on average; each write is of a result of every unit."""
        block, count = self.block, len(self.commands)
        spans = (block.rows, block.columns, block.filters)
        results = self.shape.N * prod(last - first for first, last in spans)
        return Work(block.load.cycles // count, results // self.config.post.units // count)

    @cached_property
    def _beats(self) -> int:
        return int(self._constants()["filter_beats"])

    @cached_property
    def commands(self) -> list[NestCommand]:
        """The commands but for their bases."""
        runs = self.fold.runs
        found = []
        loops = self._wave_loops()
        order = loop_order(self.shape, self.block, [loop.count for loop in loops])
        outer, outside, held = (
            [loops[index] for index in part] for part in (order.commands, order.outside, order.held)
        )
        for indices in product(*(range(loop.count) for loop in outer)):
            moved: dict[str, int] = {}
            for loop, index in zip(outer, indices, strict=True):
                for name, step in loop.steps.items():
                    moved[name] = moved.get(name, 0) + index * step
            for number, run in enumerate(runs):
                found.append(self._command(run, number, moved, (outside, held)))
        return found

    # ---- loops ----------------------------------------------------------------------------------

    def _wave_loops(self) -> list[Loop]:
        """Items, output rows, columns, filters, inner waves.

        `band` counts filter groups and `wave` inner waves for `_filters`.
        """
        mapping, shape, fold, waves = self.mapping, self.shape, self.fold, self.waves
        source, target = self.task.source, self.task.target
        y = fold.ue * mapping.ce * shape.stride[0]
        x = mapping.windows * shape.stride[1]
        bands = filter_groups(self.block) * fold.um // waves.outer
        outer = {"channel": bands * mapping.p, "band": bands}
        inner = {"columns": 1, "wave": 1}
        if shape.multiplier:
            bands //= waves.inner
            channels = fold.um * fold.q * waves.inner
            outer["ifmap"] = channels // self.config.lanes * source.plane_stride
            passes = len(fold_run(shape, fold, fold.runs[0], self.config.array.rows))
            inner = {"channel": bands * mapping.p, "band": bands, "rows": passes}
        steps_ = (
            {
                "ifmap": mapping.cn * source.item_stride,
                "output": mapping.cn * target.item_stride,
            },
            {
                "y": y,
                "ifmap": y * source.row_stride,
                "output": fold.ue * mapping.ce * target.row_stride,
            },
            {"x": x, "ifmap": x, "output": mapping.windows},
            outer,
            inner,
        )
        held = [*self.block.held, False, False]
        beats = wave_psums(self.config, mapping)
        for count, step, stays in zip(*map(reversed, (waves.counts, steps_, held)), strict=True):
            if self.task.psums is not None or (stays and self._waits):
                step["psum"] = beats
                beats *= count
        return [
            Loop(count=count, steps=step, held=stays)
            for count, step, stays in zip(waves.counts, steps_, held, strict=True)
        ]

    def _accumulation(self, run: Run) -> list[Loop]:
        """Loops over channels, filter rows, tap ranges and passes."""
        shape, fold, source = self.shape, self.fold, self.task.source
        planes = run.groups * fold.q // self.config.lanes
        y, x = shape.dilation[0], fold.span * shape.dilation[1]
        return [
            Loop(
                count=run.chunks,
                steps={"ifmap": planes * source.plane_stride, "group": run.groups},
                accumulate=True,
            ),
            Loop(
                count=shape.R if fold.row_loop else 1,
                steps={"y": y, "ifmap": y * source.row_stride, "row": 1},
                accumulate=True,
            ),
            Loop(
                count=tap_ranges(shape, fold.span) if fold.tap_loop else 1,
                steps={"x": x, "ifmap": x, "tap": 1},
                accumulate=True,
            ),
            Loop(count=len(self._passes(run)), steps={"rows": 1, "pass": 1}),
        ]

    def _passes(self, run: Run) -> tuple[RowPass, ...]:
        return fold_run(self.shape, self.fold, run, self.config.array.rows)

    def _portion(self, run: Run) -> tuple[list[Loop], dict[str, int]]:
        """The loops of the accumulation as far as the task wants them, and where they begin."""
        loops, moved = self._accumulation(run), dict[str, int]()
        if self.task.portion is None:
            return loops, moved
        found = []
        for loop, (first, last) in zip(loops, self.task.portion.loops, strict=True):
            found.append(replace(loop, count=last - first))
            for name, step in loop.steps.items():
                moved[name] = moved.get(name, 0) + first * step
        return found, moved

    # ---- one command ----------------------------------------------------------------------------

    def _command(
        self,
        run: Run,
        number: int,
        moved: Mapping[str, int],
        around: tuple[list[Loop], list[Loop]],
    ) -> NestCommand:
        """`moved`: how far loops that are commands have come; `around`: loops outside, inside."""
        task, runs = self.task, self.fold.runs
        accumulation, begin = self._portion(run)
        moved = {name: moved.get(name, 0) + begin.get(name, 0) for name in {**moved, **begin}}
        outside, held_loops = around
        loops = [loop for loop in (*outside, *accumulation, *held_loops) if loop.count > 1]
        place = replace(NestOperands.of(task, self.mapping), moves=task.moves)
        records, masks = loop_records([recorded(loop) for loop in loops])
        held = task.psums
        constants = {
            **self._constants(),
            **masks,
            "reuse": task.reuse,
            "keep": task.keep,
            "after": number > 0 or (held is not None and held.after),
            "before": number < len(runs) - 1 or (held is not None and held.before),
        }
        check_counts(self.config, CONSTANTS, constants)
        command = NestCommand(
            run=run,
            constants=np.array(CONSTANTS.pack(constants), dtype=np.uint64),
            records=[word for record in records for word in record],
            rows=self._patterns(run),
            columns=tuple(
                column_pattern(self.config, self.shape, self.mapping, wave, place)
                for wave in self.waves.waves
            ),
            moved=moved,
            loops=loops,
            length=0,
        )
        length = self._filters(command).length(constants["filter_beats"])
        return replace(command, length=length)

    def _patterns(self, run: Run) -> tuple[tuple[int, ...], ...]:
        """Row patterns of a chunk; a depthwise block has them for every lane its waves start at."""
        words: tuple[tuple[int, ...], ...] = ()
        start = self.task.lane
        if self.shape.multiplier:
            start += self.block.filters[0] // self.shape.multiplier
        phases = self.waves.inner if self.shape.multiplier else 1
        for phase in range(phases):
            lane = start + phase * self.fold.um * self.fold.q * bool(self.shape.multiplier)
            place = NestOperands.of(self.task, self.mapping, lane)
            words += row_patterns(self.config, self.shape, self.mapping, run, place)
        return words

    def _bases(self, moved: Mapping[str, int]) -> dict[str, int]:
        task, shape, block = self.task, self.shape, self.block
        y = task.y + block.rows[0] * shape.stride[0]
        x = task.x + block.columns[0] * shape.stride[1]
        source, target = task.source, task.target
        row, column, lane = task.corner
        output = target.address - lane // self.config.lanes * target.plane_stride
        output += (block.rows[0] - row) * target.row_stride + block.columns[0] - column
        bases = {
            "y": y,
            "x": x,
            "ifmap": source.address + y * source.row_stride + x,
            "output": output,
            "channel": task.channel + block.filters[0],
            "psum": task.psums.first if task.psums is not None else 0,
            "rows": 0,
            "columns": 0,
        }
        return {name: bases.get(name, 0) + moved.get(name, 0) for name in {**bases, **moved}}

    def _constants(self) -> dict[str, int]:
        mapping, shape, task, config = self.mapping, self.shape, self.task, self.config
        fold, K = self.fold, config.pe.macs
        step = int(multiply_steps(config, np.array(mapping.p), np.array(fold.q), shape.multiplier))
        in_word = shape.multiplier or mapping.p
        streamed = pixels(shape, fold, mapping.windows)
        apart = fold.span < shape.stride[1]
        return {
            "psums": mapping.p,
            "steps": step,
            "taps": fold.q * fold.span,
            "advance": fold.q * min(shape.stride[1], fold.span),
            "channels": fold.q,
            "diagonal": bool(shape.multiplier),
            "odd": in_word % K != 0,
            "window_shift": task.window_shift,
            "weight_zero": task.weight_zero,
            "weight_signed": task.weight_signed,
            "windows": mapping.windows,
            "filter_beats": int(filter_beats(config, np.array(fold.q * fold.span * step))),
            "pixel_outer": mapping.windows if apart else 1,
            "pixel_step": shape.stride[1] if apart else 0,
            "pixel_inner": fold.span if apart else streamed,
            "pixel_beats": ceil(fold.q / config.noc.ifmap),
            "height": task.source.height,
            "width": task.source.width,
            "plane_stride": task.source.plane_stride,
            "zero": task.zero,
            "signed": task.signed,
            "items": mapping.cn,
            "item_tag": self._item_tags(),
            "item_stride": task.source.item_stride if mapping.cn > 1 else 0,
            "psum_beats": psum_beats(config, mapping.p),
            "pixel_words": 1,
            **task.output,
            "plane": task.target.plane_stride,
        }

    def _item_tags(self) -> int:
        if self.mapping.cn == 1:
            return 0
        return tag_span(self.shape, self.fold, self.mapping.ce)

    @cached_property
    def _waits(self) -> bool:
        """Whether sums take several passes."""
        return (
            self.task.psums is not None
            or len(self.fold.runs) > 1
            or any(loop.count > 1 for loop in self._accumulation(self.fold.runs[0]))
        )

    @cached_property
    def waiting(self) -> tuple[Span, ...]:
        """Buffer words in which psums wait."""
        config, psums = self.config, self.task.psums
        counts = zip(self.block.held, self.waves.counts, strict=False)
        waves = prod(count for stays, count in counts if stays)
        beats = waves * wave_psums(config, self.mapping) if psums is None else psums.total
        return (
            (psum_floor(config, beats), config.buffer.banks * config.buffer.depth),
        ) * self._waits

    def _access(self) -> BufferAccess:
        config, task = self.config, self.task
        unfinished = task.psums is not None and task.psums.before
        written = (task.target.extent(config),) if task.written is None else task.written
        return BufferAccess(
            (task.source.extent(config),), () if unfinished else written, self.waiting
        )

    def _filters(self, item: NestCommand) -> CommandFilters:
        """The filters that the passes of a command are sent."""
        return CommandFilters(
            self.config,
            self.shape,
            self.block,
            self.task,
            self.waves.waves,
            run=item.run,
            moved=item.moved,
            loops=item.loops,
            bank=self.bank,
        )
