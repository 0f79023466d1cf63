"""Run-length coding of feature maps, as the chip's link has it."""

_RUN_BITS, _LEVEL_BITS, _PAIRS, _WORD_BITS = 5, 16, 3, 64
_LONGEST_RUN = (1 << _RUN_BITS) - 1


def coded_bits(zeros: float) -> float:
    """Mean bits of a value of 16 bits in a map with that share of zeros, which lie anywhere.

    A word of 64 bits has three pairs of a run of at most 31 zeros (5 bits) and a value (16 bits).
    A pair stands for 1 + z + z² + … + z^31 values on average.

    Parameters
    ----------
    zeros : 0 to 1
    """
    pair = _WORD_BITS / _PAIRS
    return pair / sum(zeros**run for run in range(_LONGEST_RUN + 1))


def coded_share(zeros: float) -> float:
    """Coded bits of a map as a share of its raw bits."""
    return coded_bits(zeros) / _LEVEL_BITS
