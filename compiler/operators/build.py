"""From graph nodes to operations of the array."""

import numpy as np

from compiler.ir.graph import Tensor
from compiler.ir.ops import Add, Concat, Conv, Move, Mul, Node, Pad, Pool, Rescale
from compiler.ir.overflow import sum_range
from compiler.moves.pieces import moved
from compiler.operators.convolve import ConvOperation
from compiler.operators.copy import CopyOperation, placeable
from compiler.operators.move import MoveOperation, movable_blocks
from compiler.operators.operation import Operation, Shape4
from compiler.operators.params import stage_output, zero_point_units
from compiler.operators.vector import AddOperation, MulOperation, PoolOperation, RescaleOperation
from hw.arch.config import Config
from hw.arch.config.modes import WHOLE_SUM_BITS, rounding_modes
from hw.arch.errors import RowforgeError
from numerics.quantisation import Requant, integer_range

# Of one tensor: a command serves one item, and tiles are sought channel block by channel block.
MAX_ITEMS = 1 << 12
MAX_CHANNELS = 1 << 16


def array_operation(
    config: Config,
    node: Node,
    shapes: tuple[Shape4, ...],
    source: Tensor,
    target: Tensor,
    objective: str,
) -> Operation | str:
    """The operation of a node whose operands have these views; a reason if the array cannot.

    Raises `RowforgeError` where nothing else can compute the node either.
    """
    _check_type(config, node, source)
    for shape in shapes:
        _check_shape(node, "input", shape)
    if not (isinstance(node, Conv) and target.dtype == "int32"):
        _check_type(config, node, target)
    _check_mode(config, node)
    signed = source.dtype.startswith("int")
    match node:
        case Conv():
            _check_sums(node, source)
            return ConvOperation(config, node, signed, objective)
        case Add():
            return AddOperation(config, node, shapes, signed)
        case Mul():
            return MulOperation(config, node, shapes, signed)
        case Rescale():
            return RescaleOperation(config, node, shapes[0], signed)
        case Pool():
            return PoolOperation(config, node, shapes[0], signed)
        case Concat():
            return _concat(config, node, shapes, target)
        case Pad():
            return _pad(config, node, shapes[0], target)
        case Move():
            return _move(config, node, shapes[0], target)
    raise RowforgeError(f"{node.name}: {node.op} is no operator of the accelerator")


def array_types(config: Config) -> tuple[str, ...]:
    """Types of the tensors that the array reads."""
    return ("int8", "uint8") if config.array.data_width == 8 else ("int16",)


def _check_type(config: Config, node: Node, tensor: Tensor) -> None:
    types = array_types(config)
    if tensor.dtype not in types:
        raise RowforgeError(
            f"{node.name}: array.data_width {config.array.data_width} takes "
            f"{' and '.join(types)} tensors, not {tensor.dtype}"
        )


def _check_mode(config: Config, node: Node) -> None:
    """The output stage must be one that is built, and 16-bit operands have no zero points."""
    if not isinstance(node, Conv | Mul | Rescale):
        return
    if stage_output(node.stage)["mode"] not in rounding_modes(config):
        wide = isinstance(node.stage, Requant) and node.stage.wide
        if config.array.data_width == 8 and wide:
            field, least, value = "array.data_width", 16, 8
        else:
            field, least, value = "array.psum_width", WHOLE_SUM_BITS, config.array.psum_width
        raise RowforgeError(
            f"{node.name}: {field} must be at least {least} for outputs that are scaled sums, "
            f"not {value}"
        )
    if isinstance(node, Conv) and isinstance(node.stage, Requant) and not any(node.pad):
        return  # the zero point of its input becomes part of its bias
    zeros = (node.input_zero_point,) if isinstance(node, Conv | Rescale) else node.zero_points
    if config.array.data_width == 16 and any(zeros):
        raise RowforgeError(
            f"{node.name}: array.data_width must be 8 for inputs with a zero point "
            f"({max(zeros, key=abs)}), not 16"
        )


def _check_sums(node: Conv, source: Tensor) -> None:
    """A zero point that the bias holds must leave room for the sums.

    They are defined to wrap to 32 bits before the zero point is added, not after it.
    """
    stage = node.stage
    if not isinstance(stage, Requant) or not stage.affine:
        return
    units, _ = zero_point_units(stage, len(node.weights), node.name)
    if not units.any():
        return
    low, high = sum_range(node, source.dtype)
    least = int((low + node.bias + np.minimum(units, 0)).min())
    most = int((high + node.bias + np.maximum(units, 0)).max())
    limits = integer_range("int32")
    if least < limits[0] or most > limits[1]:
        raise RowforgeError(
            f"{node.name}: its sums must fit 32 bits together with its output's zero point of "
            f"{stage.zero_point}, not reach {least if least < limits[0] else most}"
        )


def _check_shape(node: Node, side: str, shape: Shape4) -> None:
    for what, size, limit in (("items", shape[0], MAX_ITEMS), ("channels", shape[3], MAX_CHANNELS)):
        if size > limit:
            raise RowforgeError(
                f"{node.name}: its {side} must have at most {limit} {what}, not {size}; "
                f"split it in the model"
            )


def _concat(
    config: Config, node: Concat, shapes: tuple[Shape4, ...], target: Tensor
) -> Operation | str:
    axis = node.axis + 4 - len(target.shape)
    if len(target.shape) > 4 or (len(target.shape) == 2 and node.axis == 0):
        return "it joins tensors along an axis that is none of the buffer's"
    if len(target.shape) == 2:
        axis = 3
    places, offset = [], 0
    for shape in shapes:
        place = [0, 0, 0, 0]
        place[axis] = offset
        offset += shape[axis]
        places.append((place[0], place[1], place[2], place[3]))
    if not placeable(config, tuple(places)):
        return f"its inputs do not begin at multiples of {config.lanes} channels"
    total = list(shapes[0])
    total[axis] = offset
    out = (total[0], total[1], total[2], total[3])
    _check_shape(node, "output", out)
    return CopyOperation(config, node.name, shapes, out, tuple(places), None, target.dtype)


def _pad(config: Config, node: Pad, shape: Shape4, target: Tensor) -> Operation | str:
    if len(target.shape) != 4:
        return "it pads a tensor that is no image"
    place = tuple(before for before, _ in node.pads)
    total = tuple(
        size + before + after for size, (before, after) in zip(shape, node.pads, strict=True)
    )
    four = (place[0], place[1], place[2], place[3])
    if not placeable(config, (four,)) or any(node.pads[0]):
        return f"its padding is no multiple of {config.lanes} channels"
    if node.pads[3][1] and shape[3] % config.lanes:
        return f"its channels end within a block of {config.lanes}"
    out = (total[0], total[1], total[2], total[3])
    _check_shape(node, "output", out)
    return CopyOperation(config, node.name, (shape,), out, (four,), node.value, target.dtype)


def _move(config: Config, node: Move, shape: Shape4, target: Tensor) -> Operation | str:
    what = moved(node.function, node.parameters, shape)
    if what is None or len(target.shape) != 4:
        return "it moves more than rows, columns and channels"
    items, rows, columns, channels = target.shape
    out = (items, rows, columns, channels)
    _check_shape(node, "output", out)
    in_blocks = movable_blocks(config, what, out)
    if in_blocks is None:
        return f"its channels do not move in blocks of {config.lanes}"
    return MoveOperation(config, node.name, shape, out, in_blocks, target.dtype)
