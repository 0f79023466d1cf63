"""What every property has: a number, the block it speaks of, and how it is to be proven."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from hw.base.block import Block
from hw.properties.harness.bench import ProofBench


class Property(ABC):
    """A property of one block; equal properties are proven once.

    Subclasses are frozen dataclasses, whose fields are what the block is made from.

    Attributes
    ----------
    number : int
        Of the list in docs/proofs.md.
    title : str
        What is proven, in a few words.
    depth : int
        Most cycles that an induction may look back.
    bound : int or None
        If induction does not reach it: the cycles after reset in which it is shown. None: always.
    inductive : bool
        Whether induction is tried at all.
    """

    number: ClassVar[int]
    title: ClassVar[str]
    depth: ClassVar[int] = 3
    bound: ClassVar[int | None] = None
    inductive: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def of(cls, block: Block) -> Iterator[Any]:
        """The properties that concern a block of a design."""

    @abstractmethod
    def build(self, bench: ProofBench) -> None:
        """Put the block on a bench and say what is claimed."""

    @property
    @abstractmethod
    def subject(self) -> str:
        """The block, with the sizes that tell it apart."""

    @property
    def reduced(self) -> str:
        """Sizes that are smaller than those of the design, "" if none are."""
        return ""
