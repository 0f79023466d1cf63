"""At which output channels tiles of a convolution may begin."""

from hw.arch.config import Config


def channel_step(
    config: Config, filters: int, groups: int, together: int, inputs: int, multiplier: int
) -> int:
    """Output channels at which tiles may begin, so that operands and results are whole words.

    Parameters
    ----------
    filters : of the convolution
    groups : 0 where every tile needs all input channels
    together : groups that form a nest; inputs : channels of that nest
    multiplier : of a depthwise convolution, else 0
    """
    lanes = config.lanes
    if multiplier:
        return min(lanes * multiplier, filters)
    if not groups:
        return min(lanes, filters)
    step = per_nest = filters // groups * together
    while (step % lanes or step // per_nest * inputs % lanes) and step < filters:
        step += per_nest
    return min(step, filters)


def channel_parts(config: Config, filters: int, groups: int) -> tuple[int, ...]:
    """Even cuts of a group's filters, where a group is a whole step; tiles share its operand.

    groups : 0 where steps are shorter anyway
    """
    each = filters // groups if groups else 0
    if each % config.lanes:
        return ()
    return tuple(n for n in range(config.lanes, each, config.lanes) if each % n == 0)
