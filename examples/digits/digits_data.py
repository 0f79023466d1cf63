"""The handwritten digits of scikit-learn: loading, the held-out split and augmentation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

SPLIT_SEED = 2016
HELD_OUT = 450
PIXEL_MAX = 16.0


@dataclass(frozen=True)
class Digits:
    """Images (N, 8, 8, 1) in 0…1, labels (N,) in 0…9 and their indices (N,) in `load_digits()`."""

    images: FloatArray
    labels: IntArray
    indices: IntArray


def split_indices(samples: int) -> tuple[IntArray, IntArray]:
    """Training and held-out indices: one permutation of all samples, cut once, so disjoint."""
    order = np.random.default_rng(SPLIT_SEED).permutation(samples)
    return np.sort(order[HELD_OUT:]), np.sort(order[:HELD_OUT])


def load() -> tuple[Digits, Digits]:
    """The training set (1347 digits) and the held-out set (450 digits)."""
    bunch = load_digits()
    images = (bunch.images / PIXEL_MAX).astype(np.float32)[..., np.newaxis]
    labels = bunch.target.astype(np.int64)
    train, held_out = split_indices(len(labels))
    return (
        Digits(images[train], labels[train], train),
        Digits(images[held_out], labels[held_out], held_out),
    )


def augment(images: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Each image (N, H, W, 1) turned, scaled and shifted at random; bilinear, zeros outside.

    Turns reach 12 degrees, scales 12 %, shifts one pixel: what one writer's hand varies by.
    """
    N, H, W, _ = images.shape
    angle = rng.uniform(-0.21, 0.21, (N, 1, 1))
    scale = rng.uniform(0.88, 1.12, (N, 1, 1))
    shift = rng.uniform(-1.0, 1.0, (2, N, 1, 1))
    rows, columns = np.mgrid[0:H, 0:W].astype(np.float64)
    rows -= (H - 1) / 2
    columns -= (W - 1) / 2
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    source_rows = cosine * rows - sine * columns + shift[0] + (H - 1) / 2
    source_columns = sine * rows + cosine * columns + shift[1] + (W - 1) / 2
    return _bilinear(images[..., 0], source_rows, source_columns)[..., np.newaxis]


def _bilinear(
    images: FloatArray, rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> FloatArray:
    """Images (N, H, W) read at fractional positions (N, H, W); a border of zeros surrounds each."""
    N, H, W = images.shape
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2)))
    rows = np.clip(rows + 1, 0, H + 1)
    columns = np.clip(columns + 1, 0, W + 1)
    top, left = rows.astype(np.int64), columns.astype(np.int64)
    down, right = rows - top, columns - left
    item = np.arange(N)[:, np.newaxis, np.newaxis]
    upper = padded[item, top, left] * (1 - right) + padded[item, top, left + 1] * right
    lower = padded[item, top + 1, left] * (1 - right) + padded[item, top + 1, left + 1] * right
    return (upper * (1 - down) + lower * down).astype(np.float32)
