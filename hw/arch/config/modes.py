"""Which rounding modes a configuration builds."""

from hw.arch.commands import Rounding
from hw.arch.config.config import Config

WHOLE_SUM_BITS = 32
"""A 16-bit array whose psums have fewer bits adds up windows of products alone."""

_WIDE = frozenset({Rounding.WIDE16, Rounding.SCALE16})
_OF_WINDOWS = frozenset({Rounding.WIDE16, Rounding.DIVIDE, Rounding.RAW})


def rounding_modes(config: Config) -> frozenset[Rounding]:
    """The modes that the post-processor has.

    8-bit data needs none of the two for wide sums. 16-bit data with psums of fewer than 32 bits, as
    on the published chip, has no whole sums to scale: only shifts, averages and raw sums.
    """
    if config.array.data_width == 8:
        return frozenset(Rounding) - _WIDE
    if config.array.psum_width < WHOLE_SUM_BITS:
        return _OF_WINDOWS
    return frozenset(Rounding)
