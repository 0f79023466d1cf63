"""From a coordinate of a convolution's output to the pass and the PEs that computed it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import accumulate, product
from math import prod
from typing import Any

from compiler.mapper.columns import ColumnTask, filter_groups
from compiler.mapper.folding import fold_run
from compiler.mapper.space import ConvShape, Fold, MappedBlock, Mapping, Run
from compiler.nest.task import Portion
from compiler.nest.waves import WaveLoops, loop_order, wave_loops
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Layer


@dataclass(frozen=True)
class Part:
    """A block of a nest as it was emitted.

    command : CONV command of the layer that the block begins with
    origin : item, row, column and channel of the layer's output where the nest's begins
    flat : width of the image whose pixels the nest takes as rows of its own length, or 0
    pixel : first of these pixels
    finishes : its results are outputs; otherwise later parts add to them
    portion : of the accumulation; None: all of it
    """

    command: int
    origin: tuple[int, int, int, int]
    flat: int
    pixel: int
    shape: ConvShape
    block: MappedBlock
    finishes: bool = True
    portion: Portion | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, for a program file."""
        block = self.block
        return {
            "command": self.command,
            "origin": self.origin,
            "flat": self.flat,
            "pixel": self.pixel,
            "shape": _plain(self.shape),
            "block": {
                "mapping": _plain(block.mapping),
                "rows": block.rows,
                "columns": block.columns,
                "filters": block.filters,
                "chosen": block.chosen,
                "held": block.held,
            },
            "finishes": self.finishes,
            "portion": None if self.portion is None else self.portion.loops,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Part":
        """The inverse of `as_dict`, lists in place of tuples allowed."""
        shape, block = values["shape"], values["block"]
        fold = block["mapping"]["fold"]
        mapping = {
            **block["mapping"],
            "fold": Fold(**{**fold, "runs": tuple(Run(**run) for run in fold["runs"])}),
        }
        return cls(
            command=values["command"],
            origin=_four(values["origin"]),
            flat=values["flat"],
            pixel=values["pixel"],
            shape=ConvShape(
                **{
                    **shape,
                    "stride": tuple(shape["stride"]),
                    "dilation": tuple(shape["dilation"]),
                }
            ),
            block=MappedBlock(
                mapping=Mapping(**mapping),
                rows=tuple(block["rows"]),
                columns=tuple(block["columns"]),
                filters=tuple(block["filters"]),
                chosen=None if block["chosen"] is None else tuple(block["chosen"]),
                held=tuple(block["held"]),
            ),
            finishes=values["finishes"],
            portion=None if values["portion"] is None else Portion.of(values["portion"]),
        )


@dataclass(frozen=True)
class ValuePlace:
    """Where a value was computed.

    command, number : CONV command of the layer and pass in it, from 0
    segment : segment of the pass; rows : its PE rows, both inclusive; column : the PE column
    finished : the value left the array here (otherwise a partial sum went to the buffer)
    """

    command: int
    number: int
    segment: int
    rows: tuple[int, int]
    column: int
    finished: bool

    def __str__(self) -> str:
        return (
            f"CONV command {self.command}, pass {self.number}, segment {self.segment} "
            f"(PE rows {self.rows[0]} to {self.rows[1]}), PE column {self.column}"
        )


@lru_cache(maxsize=4096)
def _plain(record: ConvShape | Mapping) -> dict[str, Any]:
    """The fields of a record that many parts share."""
    return asdict(record)


def locate(config: Config, layer: Layer, coordinate: Sequence[int]) -> list[ValuePlace]:
    """Every pass that contributed to an output value, in order; the last one finished it.

    Parameters
    ----------
    config : of the program
    layer : a convolution that ran on the array
    coordinate : item, row, column and channel of its output

    Raises `RowforgeError` if the layer has no such value.
    """
    at = _four(coordinate)
    places = []
    for values in layer.mapping.get("parts", []):
        part = Part.from_dict(values)
        inside = _inside(part, at)
        if inside is not None:
            places += _places(config, part, inside)
    if places:
        return places
    raise RowforgeError(f"no CONV command of layer {layer.name} computes output {list(at)}")


def _four(values: Sequence[int]) -> tuple[int, int, int, int]:
    if len(values) != 4:
        raise RowforgeError(f"a coordinate must have 4 numbers, not {list(values)}")
    return values[0], values[1], values[2], values[3]


def _inside(part: Part, at: tuple[int, int, int, int]) -> tuple[int, int, int, int] | None:
    """Item, row, column and filter of the nest, or None if the part does not compute the value."""
    item, row, column, channel = (a - b for a, b in zip(at, part.origin, strict=True))
    if part.flat:
        row, column = divmod(row * part.flat + column - part.pixel, part.shape.F)
    ranges = ((0, part.shape.N), part.block.rows, part.block.columns, part.block.filters)
    found = (item, row, column, channel)
    if all(begin <= value < end for value, (begin, end) in zip(found, ranges, strict=True)):
        return found
    return None


@dataclass(frozen=True)
class _Task:
    """Where a value's task is: wave loop indices, unit (ue, um) and PE column."""

    index: tuple[int, int, int, int, int]
    unit: tuple[int, int]
    column: int


def _task(part: Part, loops: WaveLoops, at: tuple[int, int, int, int]) -> _Task | None:
    """The task of a value inside the part's box; None if another part has its wave."""
    block, mapping, fold = part.block, part.block.mapping, part.block.mapping.fold
    item, row, column, channel = at
    wave_item, j_item = divmod(item, mapping.cn)
    wave_row, in_rows = divmod(row - block.rows[0], fold.ue * mapping.ce)
    ue, j_row = divmod(in_rows, mapping.ce)
    wave_column = (column - block.columns[0]) // mapping.windows
    unit_step, column_step = mapping.steps
    band = (channel - block.filters[0]) // mapping.p
    per_outer = filter_groups(block) * fold.um // loops.outer
    if part.shape.multiplier:
        per_outer //= loops.inner
        wave, um = divmod(band, per_outer)
        outer, inner = divmod(wave, loops.inner)
        column = j_item * mapping.ce + j_row
        return _Task((wave_item, wave_row, wave_column, outer, inner), (ue, um), column)
    outer, band = divmod(band, per_outer)
    um = band // unit_step % fold.um
    group = (band - um * unit_step) // column_step
    for inner, wave_ in enumerate(loops.waves):
        task = ColumnTask(j_item, group - wave_.first, j_row)
        if task in wave_.tasks:
            index = (wave_item, wave_row, wave_column, outer, inner)
            return _Task(index, (ue, um), wave_.tasks.index(task))
    return None


def _places(config: Config, part: Part, at: tuple[int, int, int, int]) -> list[ValuePlace]:
    shape, block, fold = part.shape, part.block, part.block.mapping.fold
    loops = wave_loops(config, shape, block)
    task = _task(part, loops, at)
    if task is None:
        return []
    order = loop_order(shape, block, loops.counts)
    command, outside, held = (
        _mixed([task.index[i] for i in chosen], [loops.counts[i] for i in chosen])
        for chosen in (order.commands, order.outside, order.held)
    )
    waves = prod(loops.counts[i] for i in order.held)
    places = []
    for number, run in enumerate(fold.runs):
        passes = fold_run(shape, fold, run, config.array.rows)
        all_of_it = Portion.whole(shape, fold, run, len(passes))
        portion = part.portion or all_of_it
        for step in product(*(range(*span) for span in portion.loops)):
            for segment, chain in enumerate(passes[step[-1]].chains):
                if (chain.ue, chain.um) != task.unit:
                    continue
                at_end = all(
                    i == last - 1
                    for i, (_, last) in zip(step[:-1], all_of_it.loops[:-1], strict=True)
                )
                ends = number == len(fold.runs) - 1 and at_end and chain.last
                turn = outside * portion.count + portion.number(step)
                places.append(
                    ValuePlace(
                        command=part.command + command * len(fold.runs) + number,
                        number=turn * waves + held,
                        segment=segment,
                        rows=(chain.head, chain.tail),
                        column=task.column,
                        finished=part.finishes and ends,
                    )
                )
    return places


def _mixed(index: Sequence[int], counts: Sequence[int]) -> int:
    """The place of an index in the order of nested loops."""
    sizes = list(accumulate(reversed([*counts[1:], 1]), lambda a, b: a * b))[::-1]
    return sum(i * size for i, size in zip(index, sizes, strict=True)) if counts else 0
