"""What the driver needs of a connection to an accelerator."""

from typing import Protocol, runtime_checkable

from hw.arch.program import Words


class Link(Protocol):
    """A pair of word streams.

    `send` takes words of the command stream and may return before they have arrived. `receive`
    returns exactly so many result words; it blocks, or runs the simulated clock, until they are
    there, and raises `sw_driver.protocol.errors.LinkError` when they cannot come any more. A link
    must take words while results wait to be received.
    """

    def send(self, words: Words) -> None:
        """Queue words for the accelerator."""

    def receive(self, count: int) -> Words:
        """The next `count` result words."""

    def cycles(self) -> int | None:
        """Clock cycles from the first command word to the last result word of the program that ran
        last, or None if the link does not know."""

    def close(self) -> None:
        """Release the connection; nothing works after it."""


@runtime_checkable
class BoardLink(Link, Protocol):
    """A link to something that lives on when a program fails.

    The words of a program may follow those of another whose results are still to come.
    """

    def reset(self) -> None:
        """Reset the accelerator and forget all words under way; connect anew if need be."""
