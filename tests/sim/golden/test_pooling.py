"""Pooling against plain loops."""

from itertools import product

import numpy as np
import pytest

from compiler.ir.ops import Pool, PoolKind
from hw.arch.errors import RowforgeError
from sim.golden.pooling import average_pool, divide_half_away, max_pool, pool


def windows(
    x: np.ndarray, window: tuple[int, int], stride: tuple[int, int], pad: tuple[int, ...]
) -> dict[tuple[int, ...], list[int]]:
    """Values under each output position, padding left out."""
    N, H, W, C = x.shape
    top, left, bottom, right = pad
    E = (H + top + bottom - window[0]) // stride[0] + 1
    F = (W + left + right - window[1]) // stride[1] + 1
    found: dict[tuple[int, ...], list[int]] = {}
    for n, e, f, c, r, s in product(*map(range, (N, E, F, C, *window))):
        y, z = e * stride[0] + r - top, f * stride[1] + s - left
        values = found.setdefault((n, e, f, c), [])
        if 0 <= y < H and 0 <= z < W:
            values.append(int(x[n, y, z, c]))
    return found


def half_away(total: int, count: int) -> int:
    magnitude = (2 * abs(total) + count) // (2 * count)
    return magnitude if total >= 0 else -magnitude


@pytest.mark.parametrize("seed", range(6))
def test_pools(seed: int) -> None:
    random = np.random.default_rng(seed)
    window = int(random.integers(2, 5)), int(random.integers(2, 5))
    stride = int(random.integers(1, 4)), int(random.integers(1, 4))
    pad = tuple(int(random.integers(0, n)) for n in (*window, *window))
    dtype = ("int8", "uint8")[seed % 2]
    info = np.iinfo(dtype)
    x = random.integers(info.min, info.max + 1, (2, 9, 8, 3)).astype(dtype)
    maximum, average = max_pool(x, window, stride, pad), average_pool(x, window, stride, pad)
    counted = average_pool(x, window, stride, pad, count_include_pad=True, pad_value=-7)
    taps = window[0] * window[1]
    for position, values in windows(x, window, stride, pad).items():
        assert maximum[position] == max(values)
        assert average[position] == half_away(sum(values), len(values))
        total = sum(values) - 7 * (taps - len(values))
        assert counted[position] == half_away(total, taps)


def test_division_rounds_half_away_from_zero() -> None:
    total = np.asarray([-3, -2, -1, 0, 1, 2, 3], dtype=np.int64)
    assert divide_half_away(total, np.asarray(2)).tolist() == [-2, -1, -1, 0, 1, 1, 2]


def node(**change: object) -> Pool:
    fields: dict[str, object] = {
        "name": "pool",
        "op": "POOL",
        "inputs": ("x",),
        "output": "y",
        "image": (6, 6, 2),
        "kind": PoolKind.AVERAGE,
        "window": (6, 6),
        "stride": (1, 1),
        "low": -10,
        "high": 127,
        "dtype": "int8",
    }
    return Pool(**{**fields, **change})


def test_a_global_pool_clamps() -> None:
    x = np.full((1, 6, 6, 2), -50, dtype=np.int8)
    x[..., 1] = 20
    assert pool(node(), x).reshape(-1).tolist() == [-10, 20]


@pytest.mark.parametrize(
    "change", [{"window": (7, 1)}, {"stride": (0, 1)}, {"pad": (6, 0, 0, 0), "window": (3, 3)}]
)
def test_impossible_pools(change: dict[str, object]) -> None:
    with pytest.raises(RowforgeError):
        node(**change)
