"""How much a test does where more of the same would show little more."""

import os
from typing import TypeVar

T = TypeVar("T")


def thorough(usual: T, full: T) -> T:
    """`full` under `make test-thorough`, which sets ROWFORGE_THOROUGH; else `usual`.

    For numbers of random cases and their sizes, and for the cases of a wide parametrisation, of
    which every kind has one in both. What a test must always show is in both.
    """
    return full if os.environ.get("ROWFORGE_THOROUGH") else usual
