"""Element-wise operators and pooling as VECTOR commands."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from compiler.ir.ops import Add, Mul, Pool, PoolKind, Rescale
from compiler.operators.cuts import Span
from compiler.operators.operation import (
    Operand,
    Operation,
    OperationReport,
    Shape4,
    map_extent,
    part_window,
    size_of,
    vector_accesses,
    window_bends,
    window_reach,
)
from compiler.operators.params import (
    divide_output,
    identity_output,
    identity_params,
    same_params,
    stage_output,
    stage_params,
)
from compiler.stream.counts import check_counts
from compiler.stream.hazards import BufferAccess
from compiler.stream.stream import StreamBuilder
from compiler.stream.surface import Surface, surface_words
from hw.arch.commands import VECTOR, VectorOp
from hw.arch.commands import Rounding as Mode
from hw.arch.config import Config
from hw.arch.entries import TABLE
from hw.arch.errors import RowforgeError
from hw.arch.program import Box
from hw.arch.program.layout import pack_records
from hw.arch.reciprocal import reciprocal
from numerics.gemmlowp import multiply_by_quantised_multiplier
from numerics.quantisation import add_multipliers

COMMAND_CYCLES = 40
"""Start and drain of a VECTOR command."""


class VectorOperation(Operation):
    """An operator whose output lanes follow the lanes of its operands."""

    follows_channels = True

    def __init__(
        self, config: Config, name: str, sources: tuple[Shape4, ...], target: Shape4, signed: bool
    ) -> None:
        self.config, self.name, self.sources, self.target = config, name, sources, target
        self.signed = signed
        self.channel_step = config.lanes
        self.most_channels = target[3]
        self.window = (1, 1)
        self.stride = (1, 1)
        self.pad = (0, 0)
        self.spent = self.read = self.written = 0

    def _window(self, along: int) -> dict[str, int]:
        """The window's geometry along rows (0) or columns (1)."""
        stride, pad, taps = self.stride[along], self.pad[along], self.window[along]
        return {"stride": stride, "pad": pad, "taps": taps, "dilation": 1}

    def bends(self, axis: int, operand: int) -> Sequence[int]:
        if axis in (0, 3):
            return ()
        return window_bends(self.sources[0][axis], **self._window(axis - 1))

    def reach_along(self, axis: int, span: Span, operand: int) -> Span:
        if axis in (0, 3):
            return span
        return window_reach(span, self.sources[0][axis], **self._window(axis - 1))

    def extent(self, size: Shape4) -> tuple[int, int]:
        return map_extent(size, self.stride, self.window)

    def cycles(self, size: Shape4, psum_beats: int, *, rough: bool = False) -> int:
        outputs = surface_words(self.config, size)
        lanes = self.config.lanes // self.config.post.units
        return max(outputs * self._reads, outputs * lanes) + COMMAND_CYCLES

    @property
    def _reads(self) -> int:
        """Buffer words read for a word of the output."""
        return max(self.window[0] * self.window[1], len(self.sources))

    def report(self) -> OperationReport:
        accesses = vector_accesses(self.config, self.read, self.written)
        return OperationReport(self.spent, accesses, "vector")

    def emit(
        self,
        stream: StreamBuilder,
        tile: Box,
        parts: Sequence[Operand],
        target: Surface,
        psum_beats: int,
    ) -> None:
        self.prepare(stream)
        self.spent += self.cycles(size_of(tile), psum_beats)
        outputs = surface_words(self.config, size_of(tile))
        self.read, self.written = self.read + outputs * self._reads, self.written + outputs
        reach = self.reach(tile, 0)
        surfaces = [part_window(self.config, part, reach) for part in parts]
        access = BufferAccess(
            tuple(surface.extent(self.config) for surface in surfaces),
            (target.extent(self.config),),
        )
        items, rows, columns, _ = size_of(tile)
        for item in range(items):
            left, right = surfaces[0], surfaces[-1]
            fields = {
                "signed": self.signed,
                "blocks": target.blocks(self.config),
                "rows": rows,
                "columns": columns,
                "window_rows": self.window[0],
                "window_columns": self.window[1],
                "stride_y": self.stride[0],
                "stride_x": self.stride[1],
                "y": tile.rows[0] * self.stride[0] - self.pad[0] - reach.rows[0],
                "x": tile.columns[0] * self.stride[1] - self.pad[1] - reach.columns[0],
                "height": left.height,
                "width": left.width,
                "left": left.address + item * left.item_stride,
                "right": right.address + item * right.item_stride,
                "row_stride": left.row_stride,
                "plane_stride": left.plane_stride,
                "right_row_stride": right.row_stride,
                "right_plane_stride": right.plane_stride,
                "output": target.address + item * target.item_stride,
                "output_row_stride": target.row_stride,
                "plane": target.plane_stride,
                **self.fields(stream),
            }
            check_counts(self.config, VECTOR, fields)
            stream.vector(fields, access)

    def prepare(self, stream: StreamBuilder) -> None:
        """Fills tables that the commands of a tile need."""

    @abstractmethod
    def fields(self, stream: StreamBuilder) -> Mapping[str, int]:
        """Operation, zero points and output stage; fills the parameters."""


class AddOperation(VectorOperation):
    """Residual sum in TensorFlow Lite's arithmetic, by a table for each operand."""

    def __init__(
        self, config: Config, node: Add, sources: tuple[Shape4, ...], signed: bool
    ) -> None:
        super().__init__(config, node.name, sources, sources[0], signed)
        self.node = node
        if config.array.data_width != 8:
            raise RowforgeError(
                f"{node.name}: array.data_width must be 8 for a quantised sum, not 16"
            )

    def prepare(self, stream: StreamBuilder) -> None:
        node = self.node
        pair = add_multipliers(*node.scales, node.output_scale)
        stored = np.arange(256, dtype=np.int64)
        if self.signed:
            stored = (stored ^ 0x80) - 0x80
        columns = {}
        for name, zero, (multiplier, shift) in zip(
            ("left", "right"), node.zero_points, (pair.first, pair.second), strict=True
        ):
            shifted = (stored - zero) << pair.left_shift
            columns[name] = multiply_by_quantised_multiplier(
                shifted, np.asarray(multiplier), np.asarray(shift)
            )
        stream.table(pack_records(TABLE, columns))

    def fields(self, stream: StreamBuilder) -> Mapping[str, int]:
        node = self.node
        multiplier, shift = add_multipliers(*node.scales, node.output_scale).output
        output = {
            "mode": int(Mode.TFLM),
            "zero_point": node.output_zero_point,
            "low": node.low,
            "high": node.high,
        }
        row = same_params(stream, 0, multiplier, shift)
        return {"op": int(VectorOp.ADD), "param": row, **output}


class MulOperation(VectorOperation):
    """Product of two tensors."""

    def __init__(
        self, config: Config, node: Mul, sources: tuple[Shape4, ...], signed: bool
    ) -> None:
        super().__init__(config, node.name, sources, sources[0], signed)
        self.node = node

    def fields(self, stream: StreamBuilder) -> Mapping[str, int]:
        node = self.node
        columns = stage_params(node.stage, np.zeros(1, dtype=np.int64), node.name)
        return {
            "op": int(VectorOp.MUL),
            "left_zero": node.zero_points[0],
            "right_zero": node.zero_points[1],
            "param": same_params(stream, *(int(column[0]) for column in columns)),
            **stage_output(node.stage),
        }


class RescaleOperation(VectorOperation):
    """Another quantisation of the same values: the maximum of a window of one."""

    def __init__(self, config: Config, node: Rescale, source: Shape4, signed: bool) -> None:
        super().__init__(config, node.name, (source,), source, signed)
        self.node = node

    def fields(self, stream: StreamBuilder) -> Mapping[str, int]:
        node = self.node
        columns = stage_params(node.stage, np.zeros(1, dtype=np.int64), node.name)
        return {
            "op": int(VectorOp.MAX),
            "left_zero": node.input_zero_point,
            "param": same_params(stream, *(int(column[0]) for column in columns)),
            **stage_output(node.stage),
        }


class PoolOperation(VectorOperation):
    """Maximum or average of windows."""

    def __init__(self, config: Config, node: Pool, source: Shape4, signed: bool) -> None:
        target = (source[0], *node.output_image)
        super().__init__(config, node.name, (source,), target, signed)
        self.node = node
        self.window, self.stride, self.pad = node.window, node.stride, node.pad[:2]
        if node.dilation != (1, 1):
            raise RowforgeError(f"{node.name}: a pooling window must have dilation 1")
        if node.count_include_pad and any(node.pad) and node.pad_value:
            raise RowforgeError(
                f"{node.name}: padding that counts in an average must have the stored value 0, "
                f"not {node.pad_value}"
            )
        if self._counts() * config.post.units > config.post.channels and self._by_count:
            raise RowforgeError(
                f"{node.name}: post.channels must be at least "
                f"{self._counts() * config.post.units} for its window, not {config.post.channels}"
            )

    @property
    def _by_count(self) -> bool:
        """Windows differ in how many values they average: those that reach into the padding."""
        node = self.node
        return node.kind is PoolKind.AVERAGE and any(node.pad) and not node.count_include_pad

    def _counts(self) -> int:
        return self.window[0] * self.window[1]

    def fields(self, stream: StreamBuilder) -> Mapping[str, int]:
        node = self.node
        if node.kind is PoolKind.MAX:
            return {
                "op": int(VectorOp.MAX),
                "param": same_params(stream, 0, *identity_params(stream.config)),
                **identity_output(stream.config, node.low, node.high),
            }
        if not self._by_count:
            count = self._counts()
            row = same_params(stream, count // 2, *reciprocal(count))
            return {"op": int(VectorOp.SUM), "param": row, **divide_output(0, node.low, node.high)}
        units = stream.config.post.units
        pairs = np.array([reciprocal(n) for n in range(1, self._counts() + 1)], dtype=np.int64)
        bias = np.arange(1, self._counts() + 1) // 2
        columns = (np.repeat(column, units) for column in (bias, pairs[:, 0], pairs[:, 1]))
        return {
            "op": int(VectorOp.SUM),
            "by_count": 1,
            "param": stream.params(*columns),
            **divide_output(0, node.low, node.high),
        }
