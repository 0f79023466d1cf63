"""What bits of the accelerator's result words count, and where its blocks lie."""

from hw.arch.commands import RESULT, ResultBlock

ALL = (1 << 64) - 1
"""Mask of a word all of whose bits count."""


def block_places(words: list[int], kind: ResultBlock) -> list[slice]:
    """Where the words of all blocks of a kind lie among result words."""
    found = []
    first = 0
    while first < len(words):
        fields = RESULT.unpack(words[first : first + 1])
        last = first + 1 + fields["length"]
        if fields["block"] == kind:
            found.append(slice(first + 1, last))
        first = last
    return found
