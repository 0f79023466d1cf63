"""Operators that choose values along axes, on stored values, integers and floats; linear Resize."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tests.campaigns.ort_arithmetic.case import EIGHT_BIT_TAGS, Case, Step
from tests.campaigns.ort_arithmetic.quantise import floats_at_edges

_FORMS = ("stored", "integers", "floats", "quantised after")
_COORDINATES = (
    *("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "asymmetric"),
    *("align_corners", "tf_crop_and_resize", "tf_half_pixel_for_nn"),
)
_NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
Shape = tuple[int, ...]


def _shape(case: Case, ranks: tuple[int, ...] = (1, 2, 3, 4, 4, 5)) -> Shape:
    rank = int(case.rng.choice(ranks))
    return tuple(int(n) for n in case.rng.integers(1, 9, rank))


def _numbers(case: Case, values: object, dtype: type = np.int64) -> str:
    return case.maker.constant(np.asarray(values, dtype=dtype))


def _slice(case: Case, x: str, shape: Shape) -> list[str]:
    rng = case.rng
    axes = rng.permutation(len(shape))[: int(rng.integers(1, len(shape) + 1))]
    starts, ends, steps = [], [], []
    for axis in axes:
        size = shape[axis]
        step = int(rng.choice([1, 1, 1, 2, 3, -1, -2]))
        first = int(rng.integers(0, size))
        last = int(rng.integers(first, size)) if step > 0 else int(rng.integers(0, first + 1))
        end = last + 1 if step > 0 else last - 1
        if end < 0:
            end = -size - 1
        elif rng.random() < 0.3 and 0 < end < size:
            end -= size
        if step > 0 and rng.random() < 0.2:
            end = np.iinfo(np.int64).max
        starts.append(first - size if rng.random() < 0.3 else first)
        ends.append(end)
        steps.append(step)
    given = [starts, ends, axes, steps]
    return [case.maker.op("Slice", x, *(_numbers(case, part) for part in given))]


def _split(case: Case, x: str, shape: Shape) -> list[str]:
    rng, maker = case.rng, case.maker
    axis = int(rng.integers(len(shape)))
    size = shape[axis]
    count = int(rng.integers(1, min(size, 4) + 1))
    cuts = np.sort(rng.permutation(np.arange(1, size))[: count - 1])
    sizes = np.diff([0, *cuts, size])
    given: tuple[str, ...] = (_numbers(case, sizes),)
    attributes = {}
    if rng.random() < 0.4:
        given = ()
        if maker.opset >= 18:
            count = int(rng.integers(1, size + 1))
            count = -(-size // -(-size // count))  # no part is empty
            attributes = {"num_outputs": count}
        else:
            count = int(rng.choice([n for n in range(1, size + 1) if size % n == 0]))
    before = len(maker.nodes)
    maker.op("Split", x, *given, outputs=count, axis=axis - len(shape), **attributes)
    names = list(maker.nodes[before].output)
    return names if rng.random() < 0.5 else [str(rng.choice(names))]


def _gather(case: Case, x: str, shape: Shape) -> list[str]:
    rng = case.rng
    axis = int(rng.integers(-len(shape), len(shape)))
    size = shape[axis]
    form = [(), (1,), (int(rng.integers(1, 6)),), (2, 3)][int(rng.integers(4))]
    if not form and len(shape) == 1:
        form = (1,)
    indices = _numbers(case, rng.integers(-size, size, form))
    return [case.maker.op("Gather", x, indices, axis=axis)]


def _tile(case: Case, x: str, shape: Shape) -> list[str]:
    return [case.maker.op("Tile", x, _numbers(case, case.rng.integers(1, 4, len(shape))))]


def _expand(case: Case, x: str, shape: Shape) -> list[str]:
    rng = case.rng
    wanted = [int(rng.integers(1, 5)) if n == 1 else int(rng.choice([1, n])) for n in shape]
    if rng.random() < 0.3 and len(shape) < 5:
        wanted = [2, *wanted]
    return [case.maker.op("Expand", x, _numbers(case, wanted))]


def _pad(case: Case, x: str, shape: Shape) -> list[str]:
    """Pad with values of the tensor."""
    mode = str(case.rng.choice(["edge", "reflect", "wrap"]))
    if mode == "wrap":
        case.maker.opset = 19
    most = [n if mode != "reflect" else n - 1 for n in shape]
    pads = [int(case.rng.integers(0, min(n, 4) + 1)) for n in (*most, *most)]
    case.tags.add(mode)
    return [case.maker.op("Pad", x, _numbers(case, pads), mode=mode)]


def _blocks(case: Case, x: str, shape: Shape, *, deep: bool) -> list[str]:
    block = case.block
    if deep:
        mode = str(case.rng.choice(["DCR", "CRD"]))
        return [case.maker.op("DepthToSpace", x, blocksize=block, mode=mode)]
    return [case.maker.op("SpaceToDepth", x, blocksize=block)]


def _resize(case: Case, x: str, shape: Shape, *, mode: str) -> list[str]:
    """Any coordinates and rounding, by sizes or scales, along all or some axes."""
    rng, maker = case.rng, case.maker
    free = list(range(len(shape)))
    if mode == "linear" and len(shape) > 3:
        free = free[2:]
        if len(shape) == 4 and case.form in ("floats", "stored") and rng.random() < 0.2:
            free = [1, 2]
    how = str(rng.choice(_COORDINATES[:6] if maker.opset >= 13 else _COORDINATES))
    if maker.opset < 19 and how == "half_pixel_symmetric":
        how = "half_pixel"
    case.tags.add(how)
    given: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": how}
    if mode == "nearest":
        given["nearest_mode"] = str(rng.choice(_NEAREST))
        case.tags.add(given["nearest_mode"])
    absent = _numbers(case, [], np.float32) if maker.opset < 13 else ""
    roi = absent
    if how == "tf_crop_and_resize":
        starts = rng.uniform(-0.2, 0.6, len(shape))
        ends = starts + rng.uniform(0.1, 0.8, len(shape))
        roi = _numbers(case, [*starts, *ends], np.float32)
        if rng.random() < 0.6:
            given["extrapolation_value"] = float(rng.choice([0.0, 1.5, -3.0]))
    if rng.random() < 0.5:
        factors = rng.choice([1.0, 2.0, 3.0, 0.5, 1.5, 2.3, 0.7], len(shape))
        scales = [
            float(f) if axis in free and int(np.float32(f) * np.float32(shape[axis])) else 1.0
            for axis, f in enumerate(factors)
        ]
        if mode == "nearest" and len(shape) == 4 and rng.random() < 0.3:
            scales = [1.0, 1.0, 2.0, 2.0]
        return [maker.op("Resize", x, roi, _numbers(case, scales, np.float32), **given)]
    sizes = [int(rng.integers(1, 14)) if axis in free else n for axis, n in enumerate(shape)]
    if maker.opset >= 18 and rng.random() < 0.3 and how != "tf_crop_and_resize":
        axes = sorted(rng.permutation(free)[: int(rng.integers(1, len(free) + 1))].tolist())
        policy = str(rng.choice(["stretch", "not_larger", "not_smaller"]))
        given.update(axes=axes, keep_aspect_ratio_policy=policy)
        sizes = [sizes[axis] for axis in axes]
    return [maker.op("Resize", x, roi, absent, _numbers(case, sizes), **given)]


def _upsample(case: Case, x: str, shape: Shape, *, op_type: str) -> list[str]:
    """Resize of operator set 10, and Upsample: one way to find coordinates, by scales."""
    rng, maker = case.rng, case.maker
    mode = str(rng.choice(["nearest", "linear"])) if len(shape) == 4 else "nearest"
    factors = [1.0, 2.0, 3.0, 1.5, 2.3] if op_type == "Upsample" else [1.0, 2.0, 3.0, 0.5, 0.7]
    scales = [float(rng.choice(factors)) for _ in shape]
    if mode == "linear" or (len(shape) == 4 and rng.random() < 0.3):
        scales[:2] = [1.0, 1.0]
    scales = [f if int(np.float32(f) * n) else 1.0 for f, n in zip(scales, shape, strict=True)]
    return [maker.op(op_type, x, _numbers(case, scales, np.float32), mode=mode)]


Make = Callable[[Case, str, Shape], list[str]]


def _moved(
    case: Case,
    *,
    make: Make,
    form: str,
    shape: Callable[[Case], Shape] = _shape,
    opsets: tuple[int, ...] = (13, 18),
) -> None:
    """The operator on values of one form."""
    rng, maker = case.rng, case.maker
    maker.opset, case.form = int(rng.choice(opsets)), form
    drawn = shape(case)
    dtype = case.dtype()
    if form == "floats":
        x = case.operand(floats_at_edges(case, case.scale(), drawn), "x")
        case.outputs.extend(make(case, x, drawn))
        return
    x = case.operand(case.values(dtype, drawn), "x")
    if (
        len(drawn) == 4 and maker.opset > 11 and rng.random() < 0.5
    ):  # so that channels lie innermost
        x = maker.op("MaxPool", x, kernel_shape=[1, 1])
    if form == "integers":
        case.outputs.extend(make(case, x, drawn))
        return
    pair = case.quantisation(case.scale(), case.zero_point(dtype), dtype)
    x = maker.op("DequantizeLinear", x, *pair)
    if form == "quantised after":  # at another scale, with a function before the move
        x = maker.op("Sigmoid", x)
        pair = case.quantisation(np.float32(1 / 200), case.zero_point(dtype), dtype)
    for name in make(case, x, drawn):
        case.outputs.append(maker.op("QuantizeLinear", name, *pair))


def _of_blocks(case: Case, *, deep: bool) -> Shape:
    block = int(case.rng.integers(1, 4))
    case.block = block
    N, C, H, W = (int(n) for n in case.rng.integers(1, 4, 4))
    return (N, C * block * block, H, W) if deep else (N, C, H * block, W * block)


def _of_images(case: Case) -> Shape:
    return _shape(case, (2, 3, 4, 4, 4, 5))


_MAKERS: dict[str, tuple[Make, Callable[[Case], Shape]]] = {
    "Slice": (_slice, _shape),
    "Split": (_split, _shape),
    "Gather": (_gather, _shape),
    "Tile": (_tile, _shape),
    "Expand": (_expand, _shape),
    "DepthToSpace": (partial(_blocks, deep=True), partial(_of_blocks, deep=True)),
    "SpaceToDepth": (partial(_blocks, deep=False), partial(_of_blocks, deep=False)),
    "Pad with values": (_pad, _shape),
    "Resize to nearest": (partial(_resize, mode="nearest"), _shape),
    "Resize, linear": (partial(_resize, mode="linear"), _of_images),
}

_OLD = {
    f"{op_type}, {form}": Step(
        partial(
            _moved, make=partial(_upsample, op_type=op_type.split()[0]), form=form, opsets=(opset,)
        )
    )
    for op_type, opset, form in (
        ("Resize of set 10", 10, "floats"),
        ("Resize of set 10", 10, "stored"),
        ("Upsample", 9, "floats"),
        ("Upsample", 9, "integers"),
    )
}
_OPSETS = dict.fromkeys(("Resize to nearest", "Resize, linear"), (11, 13, 18, 19))

STEPS = {
    f"{name}, {form}": Step(
        partial(_moved, make=make, form=form, shape=shape, opsets=_OPSETS.get(name, (13, 18))),
        () if form == "floats" else EIGHT_BIT_TAGS,
    )
    for name, (make, shape) in _MAKERS.items()
    for form in _FORMS
} | _OLD
