"""What work costs: `Cost`."""

from dataclasses import dataclass

from hw.arch.accesses import Accesses, Tally


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What work costs, and how busy every resource is with it.

    cycles : of the whole work, passes one after another
    passes : their number
    busy : by resource, cycles in which it is needed; which resources there are depends on the kinds
        of hardware (`resources.model`)
    accesses : words moved
    """

    cycles: int = 0
    passes: int = 0
    busy: Tally[str] = Tally()
    accesses: Accesses = Accesses()

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            cycles=self.cycles + other.cycles,
            passes=self.passes + other.passes,
            busy=self.busy + other.busy,
            accesses=self.accesses + other.accesses,
        )

    def __mul__(self, times: int) -> "Cost":
        return Cost(
            cycles=self.cycles * times,
            passes=self.passes * times,
            busy=self.busy * times,
            accesses=self.accesses * times,
        )

    def share(self, part: int, whole: int) -> "Cost":
        """The share part / whole of the work, every figure rounded down."""
        return Cost(
            cycles=self.cycles * part // whole,
            passes=self.passes * part // whole,
            busy=self.busy.share(part, whole),
            accesses=self.accesses.share(part, whole),
        )

    @property
    def bound(self) -> str:
        """The busiest resource, of equally busy ones the first; "" where nothing is counted."""
        return max(self.busy.items(), key=lambda item: item[1], default=("", 0))[0]
