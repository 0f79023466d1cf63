"""Amounts by key that are added up, multiplied and shared out: `Tally`."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from operator import add
from typing import Generic, Self, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Tally(Generic[Key]):
    """Whole numbers by key, immutable; a key that is not among them counts 0.

    Two are equal if they count the same: zeros and the order of keys do not matter.

    Parameters
    ----------
    keys : tuple of hashable
        Each at most once. Tallies with the very same tuple are added fastest.
    amounts : iterable of int
        One for each key.
    """

    # The search for mappings adds and multiplies tallies by the thousand, always with the same
    # keys: two tuples serve it much better than a dictionary.
    __slots__ = ("amounts", "keys")

    keys: tuple[Key, ...]
    amounts: tuple[int, ...]

    def __init__(self, keys: tuple[Key, ...] = (), amounts: Iterable[int] = ()) -> None:
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "amounts", tuple(amounts))
        if len(self.keys) != len(self.amounts):
            raise ValueError(f"{len(self.keys)} keys need as many amounts, not {self.amounts}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[Key, ...], tuple[int, ...]]]:
        return type(self), (self.keys, self.amounts)

    def items(self) -> Iterator[tuple[Key, int]]:
        """Keys with their amounts, in order."""
        return zip(self.keys, self.amounts, strict=True)

    def __getitem__(self, key: Key) -> int:
        return dict(self.items()).get(key, 0)

    @property
    def total(self) -> int:
        """The sum of all amounts, whatever their keys."""
        return sum(self.amounts)

    def __add__(self, other: Self) -> Self:
        if self.keys is other.keys or self.keys == other.keys:
            return type(self)(self.keys, map(add, self.amounts, other.amounts))
        if not self.keys or not other.keys:
            return self if self.keys else other
        sums = dict(self.items())
        for key, amount in other.items():
            sums[key] = sums.get(key, 0) + amount
        return type(self)(tuple(sums), sums.values())

    def __mul__(self, times: int) -> Self:
        return type(self)(self.keys, [amount * times for amount in self.amounts])

    def share(self, part: int, whole: int) -> Self:
        """The share part / whole of every amount, rounded down."""
        return type(self)(self.keys, [amount * part // whole for amount in self.amounts])

    def divided(self, divisor: int, chosen: Callable[[Key], bool]) -> Self:
        """The amounts of the chosen keys divided, rounded down; those of others as they are."""
        divided = (amount // divisor if chosen(key) else amount for key, amount in self.items())
        return type(self)(self.keys, divided)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        if self.keys is other.keys:
            return self.amounts == other.amounts
        return self._counted() == other._counted()

    def __hash__(self) -> int:
        return hash(self.total)  # equal ones have equal totals, and it is cheap

    def _counted(self) -> dict[Key, int]:
        return {key: amount for key, amount in self.items() if amount}

    def __repr__(self) -> str:
        listed = ", ".join(f"{key}: {amount}" for key, amount in self.items())
        return f"{type(self).__name__}({listed})"
