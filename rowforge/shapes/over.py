"""Ranges of sizes as users write them: `sizes_over`, `shapes_over`."""

from collections.abc import Mapping
from itertools import product
from math import prod

from hw.arch.errors import RowforgeError
from rowforge.shapes.shape import FIELDS, BareLayer, LayerKind, Padding

MOST_SHAPES = 100_000
"""Of one table: some hours of estimates."""

_MOST = 1 << 16  # of a size; larger ones have no tensors


def sizes_over(text: str) -> dict[str, list[int]]:
    """The values of each size in "channels=16:64:16,kernel=1+3".

    A size has a number, a range "first:last" or "first:last:step" (the last included), or several
    of these joined by "+"; values come in the order written, each once. Raises `RowforgeError`.
    """
    found: dict[str, list[int]] = {}
    for part in text.split(","):
        name, equals, values = part.strip().partition("=")
        if not equals or name not in FIELDS:
            raise RowforgeError(
                f"--over must have a size and its values, as in channels=16:64:16, not "
                f"{part.strip()!r}; sizes are {', '.join(FIELDS)}"
            )
        if name in found:
            raise RowforgeError(f"--over must name {name} once, not twice")
        found[name] = list(dict.fromkeys(v for each in values.split("+") for v in _run(name, each)))
    return found


def _run(name: str, text: str) -> range:
    try:
        numbers = [int(number) for number in text.split(":")]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3:
        raise RowforgeError(
            f"values of {name} must be a number, first:last or first:last:step, not {text!r}"
        )
    first, last, step = (*numbers, *(numbers[0], 1)[len(numbers) - 1 :])[:3]
    if not 1 <= first <= last <= _MOST or step < 1:
        raise RowforgeError(
            f"values of {name} must rise from at least 1 to at most {_MOST}, not {text!r}"
        )
    return range(first, last + 1, step)


def shapes_over(
    kind: LayerKind, sizes: Mapping[str, list[int]], padding: Padding
) -> list[BareLayer]:
    """Every combination, the last size changing fastest.

    Raises `RowforgeError` for a size that is missing or that such layers do not have, and for more
    than `MOST_SHAPES` shapes.
    """
    for name in kind.needed:
        if name not in sizes:
            raise RowforgeError(f"--over must have {name} with --layer {kind}")
    for name in sizes:
        if name not in (*kind.needed, *kind.free):
            raise RowforgeError(
                f"--over must not have {name} with --layer {kind}, which has "
                f"{', '.join((*kind.needed, *kind.free))}"
            )
    if prod(map(len, sizes.values())) > MOST_SHAPES:
        raise RowforgeError(
            f"--over must give at most {MOST_SHAPES:,} shapes, not "
            f"{prod(map(len, sizes.values())):,}"
        )
    names = list(sizes)
    return [
        BareLayer.of(kind, dict(zip(names, values, strict=True)), padding)
        for values in product(*sizes.values())
    ]
