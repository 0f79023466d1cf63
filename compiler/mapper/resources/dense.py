"""PEs in which every product takes its step: `DensePe`."""

from collections.abc import Sequence

from compiler.mapper.resources.resource import ResourceKind
from compiler.mapper.resources.work import Ints, PassWork


class DensePe(ResourceKind):
    """`pe.kind` dense: a window takes a multiply step for each filter word of each multiplier."""

    resources = ("compute",)

    def busy(self, work: PassWork) -> Sequence[Ints]:
        return [work.each(work.q * work.span * work.steps * work.windows)]

    def words(self, work: PassWork) -> Sequence[Ints]:
        return []
