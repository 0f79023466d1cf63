"""What a kind of hardware must tell the mapper: `ResourceKind`."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from compiler.mapper.resources.work import Ints, PassWork
from hw.arch.accesses import Access
from hw.arch.config import Config


class ResourceKind(ABC):
    """One kind of a part of the hardware (of PEs, of networks), as the mapper sees it.

    A pass takes as long as its busiest resource, plus the overheads of all parts. The mapper does
    not know what the resources are: it adds up what the kinds of a configuration say
    (`resources.model`), and names the busiest in reports.

    Attributes
    ----------
    resources : names of its resources, as they stand in reports; of no other part's kind
    once : those that a pass needs only if it is sent filters of its own
    accesses : the accesses that it counts, which no other part's kind counts
    config : the configuration that it belongs to
    """

    resources: ClassVar[tuple[str, ...]]
    once: ClassVar[tuple[str, ...]] = ()
    accesses: ClassVar[tuple[Access, ...]] = ()

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def overhead(self) -> int:
        """Cycles that this part adds to every pass, beyond what the next pass hides."""
        return 0

    @abstractmethod
    def busy(self, work: PassWork) -> Sequence[Ints]:
        """For each of `resources`, the cycles for which a pass of every entry needs it, [entry].

        They are linear in the windows, as the pixels are: cycles of other F tiles follow from two.
        """

    @abstractmethod
    def words(self, work: PassWork) -> Sequence[Ints]:
        """For each of `accesses`, the words that a pass of every entry moves, [entry].

        They grow in proportion to the pixels, chains and filters of an entry, which may stand for
        several passes together, and are linear in the windows.
        """
