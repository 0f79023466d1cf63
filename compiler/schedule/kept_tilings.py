"""Tiles of operators, kept in the user's cache folder: `kept_tiling`, `kept_chunks`."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from compiler.cache.kept import kept
from compiler.cache.plans import searched_fields
from compiler.operators.convolve import ConvOperation
from compiler.operators.operation import Operation
from compiler.schedule.chunks import ChunkTiling, find_chunks
from compiler.schedule.goal import Goal
from compiler.schedule.space import Space
from compiler.schedule.tiling import Tiling, find_tiling
from compiler.stream.traffic import Transfers

_T = TypeVar("_T", Tiling, ChunkTiling)


def kept_tiling(
    space: Space, operation: Operation, resident: tuple[bool, ...], free: int, goal: Goal
) -> Tiling | None:
    """As `find_tiling`, searched once for all operators that cost the same."""
    return _kept(
        Tiling,
        operation,
        goal,
        (resident, free),
        lambda: find_tiling(space, operation, resident, free, goal),
    )


def kept_chunks(space: Space, operation: ConvOperation, goal: Goal) -> ChunkTiling | None:
    """As `find_chunks`, searched once for all convolutions that cost the same."""
    return _kept(ChunkTiling, operation, goal, (), lambda: find_chunks(space, operation, goal))


def _kept(
    kind: type[_T], operation: Operation, goal: Goal, key: Any, find: Callable[[], _T | None]
) -> _T | None:
    if operation.signature is None:
        return find()
    known = (searched_fields(operation.config), type(operation).__name__, operation.signature)
    return kept(
        kind.__name__,
        (known, goal.objective, goal.coded, key),
        find,
        pack=lambda found: None if found is None else asdict(found),
        unpack=lambda entry: None if entry is None else _unpacked(kind, entry),
    )


def _unpacked(kind: type[_T], entry: dict[str, Any]) -> _T:
    """A tiling from its fields, whose tuples JSON has as lists."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()
    }
    if "moves" in values:
        values["moves"] = Transfers(**values["moves"])
    return kind(**values)
