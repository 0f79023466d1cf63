"""The resources of a configuration, by the kinds of its parts: `array_model`."""

from collections.abc import Mapping
from functools import lru_cache

from compiler.mapper.resources.dense import DensePe
from compiler.mapper.resources.multicast import MulticastNetworks
from compiler.mapper.resources.resource import ResourceKind
from compiler.mapper.resources.skipping import SkippingPe
from compiler.mapper.resources.work import Ints, PassWork
from hw.arch.accesses import Access
from hw.arch.config import Config

KINDS: Mapping[str, dict[str, type[ResourceKind]]] = {
    "pe.kind": {"dense": DensePe, "skipping": SkippingPe},
    "noc.kind": {"multicast": MulticastNetworks},
}
"""By field of the configuration, what its kinds tell the mapper; the one place that lists them."""


class ArrayModel:
    """All resources of a configuration.

    Attributes
    ----------
    resources, once, accesses : those of its parts, one part after the other
    overhead : cycles of a pass beyond its busiest resource
    """

    def __init__(self, config: Config) -> None:
        self._parts = [kinds[str(config.value(field))](config) for field, kinds in KINDS.items()]
        self.resources: tuple[str, ...] = sum((part.resources for part in self._parts), ())
        self.once: tuple[str, ...] = sum((part.once for part in self._parts), ())
        self.accesses: tuple[Access, ...] = sum((part.accesses for part in self._parts), ())
        self.overhead = sum(part.overhead for part in self._parts)

    def busy(self, work: PassWork) -> list[Ints]:
        """Busy cycles of each resource in one pass of every entry."""
        return [row for part in self._parts for row in part.busy(work)]

    def words(self, work: PassWork) -> list[Ints]:
        """Words of each access in one pass of every entry."""
        return [row for part in self._parts for row in part.words(work)]


@lru_cache(maxsize=256)
def array_model(config: Config) -> ArrayModel:
    """The resources of a configuration; one object, and one tuple of names, for equal ones."""
    return ArrayModel(config)
