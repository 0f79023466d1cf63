"""How the chip maps layers: `ChipMapping`, for AlexNet as published, for VGG-16 as inferred.

Source: Y.-H. Chen et al., JSSC 52(1), 2017, table III. Its figures of the global buffer's traffic
of CONV3 agree with the mapping of CONV4, not with the one that it prints for CONV3. The mappings of
VGG-16 are not published: n, e, f and m here are those that explain the DRAM traffic of the table.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ChipMapping:
    """A row of the table, in its letters.

    n : items of the batch that a pass works on; its filters serve all of them
    m : ofmap channels whose psums the buffer holds, for which ifmaps are read from DRAM once
    e : rows of a strip of the ofmap
    f : columns of a strip; 0: whole rows
    p, q : filters and channels that a PE interleaves
    r, t : PE sets on different channels and on different filters; 0: it is not known, nor are p, q
    """

    n: int
    m: int
    e: int
    f: int = 0
    p: int = 0
    q: int = 0
    r: int = 0
    t: int = 0

    @property
    def inner(self) -> bool:
        """Whether it is known how passes lie on the array."""
        return bool(self.p and self.q and self.r and self.t)

    def as_dict(self) -> dict[str, int]:
        """What is known, by letter."""
        return {name: value for name, value in vars(self).items() if value}


def _vgg(n: int, e: int, f: int, m: int) -> ChipMapping:
    return ChipMapping(n=n, e=e, f=f, m=m)


CONV3_AS_PRINTED = ChipMapping(n=4, m=64, e=13, p=16, q=4, r=1, t=4)
"""The row of CONV3, which gives 69 MB at the buffer where 50.2 MB were measured."""

CHIP_MAPPINGS = {
    "alexnet": {
        "conv1": ChipMapping(n=1, m=96, e=7, p=16, q=1, r=1, t=2),
        "conv2": ChipMapping(n=1, m=64, e=27, p=16, q=2, r=1, t=1),
        "conv3": ChipMapping(n=4, m=64, e=13, p=16, q=3, r=2, t=2),
        "conv4": ChipMapping(n=4, m=64, e=13, p=16, q=3, r=2, t=2),
        "conv5": ChipMapping(n=4, m=64, e=13, p=16, q=3, r=2, t=2),
    },
    "vgg16": {
        **dict.fromkeys(("conv1-1", "conv1-2", "conv2-1", "conv2-2"), _vgg(1, 13, 112, 32)),
        **dict.fromkeys(("conv3-1", "conv3-2", "conv3-3"), _vgg(1, 13, 56, 64)),
        **dict.fromkeys(("conv4-1", "conv4-2", "conv4-3"), _vgg(1, 28, 28, 32)),
        **dict.fromkeys(("conv5-1", "conv5-2", "conv5-3"), _vgg(3, 14, 14, 64)),
    },
}
"""By network and layer; AlexNet's CONV3 has the mapping that agrees with what was measured."""
