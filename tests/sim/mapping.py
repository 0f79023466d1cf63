"""Convolutions mapped onto the array by hand, for the tests of the executor."""

import numpy as np

from hw.arch.config import Config
from tb.models.streams import WordStream, convolve, filter_words

CONFIG = Config.of({"pe.weight_zero_points": True})
OUTPUT_AT = 2000


def values(shape, seed=0, low=-20, high=20, dtype=np.int8):
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


def chain(*rows, first=1, tail=True, **fields):
    """Rows of one segment, bottom to top."""
    result = [{"active": 1, **row, **fields} for row in rows]
    result[0] |= {"head": 1, "first": first}
    result[-1]["tail"] = int(tail)
    return result


def mapped(config, x, w, *, stride=1, pad=0, zero=0, p, q, blocks_fold=True):
    """CONV of `x` (H, W, C) with `w` (R, S, C, M), R up to 4: rows hold filter rows.

    Loops: filter groups of p; tiles of output rows; channel blocks; channel groups of q in them.
    Returns the constants, bases, loops, row patterns, column pattern and filters per pass.
    """
    (H, W, C), (R, S, _, M), K = x.shape, w.shape, config.pe.macs
    E, F = (H + 2 * pad - R) // stride + 1, (W + 2 * pad - S) // stride + 1
    J = next(j for j in range(config.array.cols, 0, -1) if E % j == 0)
    groups = min(config.lanes, C) // q
    steps = -(-p // K)
    patterns = [
        {
            "filters": R,
            "rows": chain(*({"fid": r, "ioff": r} for r in range(R))),
            "slots": [
                {
                    "lane": g * q,
                    "outer": (J - 1) * stride + R,
                    "outer_step": 1,
                    "outer_words": W,
                    "inner": 1,
                }
            ],
            "segments": [{"first": 1, "last": 1}],
        }
        for g in range(groups)
    ]
    columns = [{"base": j * stride, "psum": 500 * j, "output": j * F} for j in range(J)]
    narrow = stride > S
    constants = {
        "psums": p,
        "steps": steps,
        "odd": steps * K - p,
        "taps": q * S,
        "channels": q,
        "advance": q * min(stride, S),
        "windows": F,
        "pixel_outer": F if narrow else 1,
        "pixel_step": stride if narrow else 0,
        "pixel_inner": S if narrow else (F - 1) * stride + S,
        "height": H,
        "width": W,
        "plane_stride": H * W,
        "zero": zero,
        "plane": E * F,
        "accumulate": 0b1100,
    }
    bases = {"y": -pad, "x": -pad, "ifmap": (-pad * W - pad) % (1 << 20), "output": OUTPUT_AT}
    blocks, tiles = -(-C // config.lanes), E // J
    back = -(groups - 1)
    rewind = -(blocks - 1) * H * W
    tile = {"y": J * stride, "output": J * F}
    down = J * stride * W
    loops = [
        {
            "count": M // p,
            "channel": p,
            "rows": back,
            "ifmap": rewind - (tiles - 1) * down,
            "y": -(tiles - 1) * tile["y"],
            "output": -(tiles - 1) * tile["output"],
        },
        {"count": tiles, **tile, "rows": back, "ifmap": rewind + down},
        {"count": blocks, "ifmap": H * W, "rows": back},
        {"count": groups, "rows": 1},
    ]
    filters = []
    for m in range(0, M, p):
        for _ in range(tiles):
            for c in range(0, C, q):
                part = w[:, :, c : c + q, m : m + p].reshape(R, S * q, p)
                part = np.pad(part, ((0, 0), (0, 0), (0, steps * K - p)))
                filters.append(np.concatenate([filter_words(config, row) for row in part]))
    return constants, bases, loops, patterns, {"columns": columns}, filters


def convolution_stream(config, x, w, bias, output=None, **options):
    constants, bases, loops, patterns, columns, filters = mapped(config, x, w, **options)
    stream = WordStream(config).rows(*patterns).columns(columns).params(bias)
    stream.load(x[None], 0)
    return stream.conv({**constants, **(output or {})}, bases, loops, filters, tag=7)


def expected_int8(x, w, bias, **options):
    return np.clip(convolve(x, w, **options) + bias, -128, 127)


def fully_connected(config, x, w, output=None, **options):
    """Items side by side in the columns, channels over the rows: (N, C) with (C, M)."""
    N, C = x.shape
    rows = chain(*({"iid": i, "fid": i} for i in range(C // 4)))
    lanes = config.lanes
    slots = [
        {"address": 4 * i // lanes, "lane": 4 * i % lanes, "outer": 1, "inner": 1}
        for i in range(C // 4)
    ]
    segments = [{"first": 1, "last": 1}]
    M = w.shape[1]
    steps = -(-M // config.pe.macs)
    stream = WordStream(config)
    stream.rows({"filters": len(rows), "rows": rows, "slots": slots, "segments": segments})
    stream.columns({"columns": [{"base": 5 * n, "output": 40 * n} for n in range(N)]})
    stream.load(x[:, None, None], 0)
    constants = {
        "psums": M,
        "steps": steps,
        "odd": steps * config.pe.macs - M,
        "taps": 4,
        "windows": 1,
        "pixel_inner": 1,
        "height": 1,
        "width": 1,
        "plane_stride": 1,
        "items": N,
        "item_tag": 5,
        "item_stride": C // lanes,
        "plane": 1,
        **(output or {}),
    }
    padded = np.pad(w, ((0, 0), (0, steps * config.pe.macs - M)))
    parts = [filter_words(config, padded[i : i + 4]) for i in range(0, C, 4)]
    return stream, constants, np.concatenate(parts)
