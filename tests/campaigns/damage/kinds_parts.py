"""Well-formed files whose operators move or combine values in ways that make no sense."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.campaigns.damage.kind import Kind
from tests.support.tflite.writer import ModelWriter

_LARGEST = 0x7FFFFFFF
_IMAGE = (1, 4, 4, 4)
_HUGE = (1, 4096, 4096, 1)


def _one(
    kind: str,
    source: Sequence[int],
    target: Sequence[int],
    *constants: Any,
    first: bool = False,
    scales: tuple[float, float] = (0.1, 0.1),
    dtype: str = "int8",
    **options: int,
) -> Callable[[], bytes]:
    """An operator of an activation and int32 constants, the constants first if asked for."""

    def content() -> bytes:
        writer = ModelWriter()
        x = writer.tensor("x", source, scale=scales[0])
        bare = {} if dtype != "int8" else {"scale": scales[1]}
        y = writer.tensor("y", target, dtype, **bare)
        rest = [writer.constant(f"c{n}", np.asarray(c, np.int32)) for n, c in enumerate(constants)]
        writer.operator(kind, [*rest, x] if first else [x, *rest], y, **options)
        return writer.finish([x], [y])

    return content


def _two(
    kind: str,
    first: Sequence[int],
    second: Sequence[int],
    target: Sequence[int],
    scale: float = 0.1,
    **options: int,
) -> Callable[[], bytes]:
    """An operator of two activations."""

    def content() -> bytes:
        writer = ModelWriter()
        x, z = writer.tensor("x", first, scale=0.1), writer.tensor("z", second, scale=0.1)
        y = writer.tensor("y", target, scale=scale)
        writer.operator(kind, [x, z], y, **options)
        return writer.finish([x, z], [y])

    return content


def _transposed(target: Sequence[int], stride: int = 2, padding: int = 0) -> Callable[[], bytes]:
    def content() -> bytes:
        writer = ModelWriter()
        x, y = writer.tensor("x", _IMAGE, scale=0.1), writer.tensor("y", target, scale=0.1)
        shape = writer.constant("shape", np.asarray(target, np.int32))
        w = writer.constant("w", np.ones((3, 3, 3, 4), np.int8), scale=0.1, zero_point=0)
        options = {"StrideH": stride, "StrideW": stride, "Padding": padding}
        writer.operator("TRANSPOSE_CONV", [shape, w, x], y, **options)
        return writer.finish([x], [y])

    return content


_NEAREST, _LINEAR = "RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"

PARTS: dict[str, Kind] = {
    "a resize to nothing": Kind(_one(_NEAREST, _IMAGE, _IMAGE, [0, 4]), words=("new size",)),
    "a resize to negative sizes": Kind(_one(_LINEAR, _IMAGE, _IMAGE, [-3, 4]), words=("new size",)),
    "a resize to the largest size": Kind(
        _one(_LINEAR, _IMAGE, _IMAGE, [_LARGEST, 1]), words=("at most",)
    ),
    "a resize to three sizes": Kind(_one(_NEAREST, _IMAGE, _IMAGE, [4, 4, 4]), words=("new size",)),
    "an image of 4 million values resized": Kind(
        _one(_LINEAR, _IMAGE, (1, 1024, 1024, 4), [1024, 1024]), status=0
    ),
    "a split along no axis": Kind(
        _one("SPLIT", _IMAGE, _IMAGE, 9, first=True, NumSplits=1), words=("axis",)
    ),
    "a split into the largest size": Kind(
        _one("SPLIT_V", _IMAGE, _IMAGE, [_LARGEST], 3, NumSplits=1), words=("do not make",)
    ),
    "a gather along the least axis": Kind(
        _one("GATHER", _IMAGE, _IMAGE, [0], Axis=-_LARGEST), words=("does not exist",)
    ),
    "a gather in the most batches": Kind(
        _one("GATHER", _IMAGE, _IMAGE, [0], Axis=1, BatchDims=_LARGEST), words=("batches",)
    ),
    "a gather of the largest position": Kind(
        _one("GATHER", _IMAGE, (1, 4, 4, 1), [_LARGEST], Axis=3), words=("does not exist",)
    ),
    "a gather of no position": Kind(_one("GATHER", _IMAGE, (1, 4, 4, 0), np.zeros(0), Axis=3)),
    "a gather by nothing": Kind(_one("GATHER_ND", _IMAGE, _IMAGE, 0), words=("positions",)),
    "blocks of nothing": Kind(
        _one("DEPTH_TO_SPACE", _IMAGE, _IMAGE, BlockSize=0), words=("blocks of 0",)
    ),
    "the largest blocks": Kind(
        _one("SPACE_TO_DEPTH", _IMAGE, _IMAGE, BlockSize=_LARGEST), words=("blocks of",)
    ),
    "batches of negative blocks": Kind(
        _one("SPACE_TO_BATCH_ND", _IMAGE, _IMAGE, [-2, 2], [[0, 0]] * 2), words=("out of range",)
    ),
    "batches cropped to nothing": Kind(
        _one("BATCH_TO_SPACE_ND", (4, 2, 2, 1), (1, 1, 4, 1), [2, 2], [[4, 0], [0, 0]])
    ),
    "the largest mirrored padding": Kind(
        _one("MIRROR_PAD", _IMAGE, _IMAGE, [[0, 0], [_LARGEST, 0], [0, 0], [0, 0]])
    ),
    "a tensor repeated no times": Kind(
        _one("TILE", _IMAGE, _IMAGE, [1, 0, 1, 1]), words=("does not fit",)
    ),
    "a tensor repeated the most times": Kind(
        _one("TILE", _IMAGE, (1, 4, 4, _LARGEST), [1, 1, 1, _LARGEST]), words=("67108864",)
    ),
    "a value broadcast to 16 million": Kind(
        _one("BROADCAST_TO", (1, 1, 1, 1), _HUGE, _HUGE), status=0
    ),
    "a huge image reversed": Kind(_one("REVERSE_V2", _HUGE, _HUGE, [1, 2]), status=0),
    "16 million values reversed": Kind(
        _one("REVERSE_V2", (1, 1 << 24), (1, 1 << 24), [1]), words=("positions",)
    ),
    "a position along no axis": Kind(
        _one("ARG_MAX", _IMAGE, (1, 4, 4), 7, dtype="int32"), words=("axis",)
    ),
    "unpacked along no axis": Kind(_one("UNPACK", _IMAGE, (1, 4, 4), Axis=-9), words=("axis -9",)),
    "a difference of unequal shapes": Kind(
        _two("SUB", _IMAGE, (1, 4, 4, 3), _IMAGE), words=("shapes",)
    ),
    "a difference at far scales": Kind(
        _two("SUB", _IMAGE, _IMAGE, _IMAGE, 1e-9), words=("too far apart",)
    ),
    "a quotient at far scales": Kind(
        _two("DIV", _IMAGE, _IMAGE, _IMAGE, 1e-9), words=("exceed 2^23",)
    ),
    "matrices that do not fit": Kind(
        _two("BATCH_MATMUL", (1, 4, 3), (1, 4, 3), (1, 4, 3)), words=("shapes that fit",)
    ),
    "a turned convolution of stride 0": Kind(_transposed((1, 8, 8, 3), 0), words=("stride",)),
    "a turned convolution of the largest stride": Kind(
        _transposed((1, 8, 8, 3), _LARGEST), words=("filters",)
    ),
    "a turned convolution into nothing": Kind(_transposed((1, 0, 8, 3))),
    "a turned convolution out of reach": Kind(_transposed((1, 400, 8, 3)), words=("reach",)),
    "a turned convolution of other filters": Kind(_transposed((1, 8, 8, 5)), words=("shape",)),
}
