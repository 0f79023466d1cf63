"""The firmware's requantisation in every mode, against plain integers and NumPy's floats."""

import ctypes
import random
from pathlib import Path

import pytest

from hw.arch.commands import Rounding
from hw.arch.config import Config as HardwareConfig
from hw.arch.config.modes import rounding_modes
from hw.arch.entries import PARAM
from tb.models.rounding_reference import (
    Config,
    Vector,
    affine_corners,
    expected,
    fixed_point_ties,
    vectors_of,
)
from tests.hw.microcontroller.cases import CONFIG
from tests.hw.microcontroller.host import FirmwareLink

MODES = sorted(rounding_modes(HardwareConfig()))
COUNT = 1500
ACC = 24  # bits of accumulators
OUTPUTS: tuple[Config, ...] = ((0, -128, 127), (-128, -128, 127), (131, 0, 255), (-7, -20, 100))


class Post(ctypes.Structure):
    """`struct post` of the firmware."""

    _fields_ = [
        ("mode", ctypes.c_uint32),
        ("param", ctypes.c_uint32),
        ("zero_point", ctypes.c_int32),
        ("low", ctypes.c_int32),
        ("high", ctypes.c_int32),
        ("plane", ctypes.c_uint32),
    ]


def requantised(link: FirmwareLink, mode: Rounding, config: Config, vector: Vector) -> int:
    """The firmware's result, with the vector's parameters in entry 3."""
    acc, *entry = vector
    names = ("bias", "multiplier", "shift", "addend")
    words = PARAM.pack(dict(zip(names, entry, strict=False)))
    entries = (ctypes.c_uint64 * (PARAM.words * CONFIG.post.channels)).in_dll(
        link.library, "params"
    )
    entries[3 * PARAM.words : 4 * PARAM.words] = words
    zero_point, low, high = config
    post = Post(mode=mode, zero_point=zero_point, low=low, high=high)
    return int(link.library.requantise(acc, ctypes.byref(post), 3))


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_modes(mode: Rounding, tmp_path: Path) -> None:
    rng = random.Random(int(mode))
    link = FirmwareLink(CONFIG, tmp_path)
    vectors = vectors_of(mode, rng, ACC, COUNT)
    if mode in (Rounding.TFLM, Rounding.SINGLE):
        vectors += list(fixed_point_ties(rng, ACC, COUNT // 3))
    if mode is Rounding.AFFINE:
        vectors += list(affine_corners())
    seen = set()
    for vector in vectors:
        config = rng.choice(OUTPUTS)
        wanted = expected(mode, config, vector)
        assert requantised(link, mode, config, vector) == wanted, (config, vector)
        seen.add(wanted)
    assert len(seen) > 100
