"""What a search betters: `OBJECTIVES`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hw.arch.energy import Technology
from hw.arch.errors import RowforgeError

Figures = Mapping[str, float]
"""Of a configuration: `cycles`, `energy` (joules where the table has units) and `traffic` (bytes on
the link) of an average inference, models weighted, and `area`, its LUTs."""


@dataclass(frozen=True)
class Objective:
    """A number to make small or large.

    Attributes
    ----------
    name, unit : as they are shown
    of : the number from the figures and the clock in Hz
    largest : whether more is better
    needs_clock, needs_joules : what must be known
    """

    name: str
    unit: str
    of: Callable[[Figures, float], float]
    largest: bool = False
    needs_clock: bool = False
    needs_joules: bool = False

    def check(self, table: Technology, clock: float | None) -> None:
        """`RowforgeError` if something that it needs is not known."""
        if self.needs_clock and not (clock and clock > 0):
            raise RowforgeError(
                f"objective {self.name} needs a clock: a space must have clock (MHz) or board"
            )
        if self.needs_joules and table.joules is None:
            raise RowforgeError(
                f"objective {self.name} needs a technology whose prices have joules, which "
                f"{table.name} has not"
            )


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective("cycles", "cycles", lambda figures, clock: figures["cycles"]),
        Objective("energy", "energy", lambda figures, clock: figures["energy"]),
        Objective("traffic", "bytes", lambda figures, clock: figures["traffic"]),
        Objective("area", "LUTs", lambda figures, clock: figures["area"]),
        Objective(
            "inferences_per_second",
            "1/s",
            lambda figures, clock: clock / figures["cycles"],
            largest=True,
            needs_clock=True,
        ),
        Objective(
            "inferences_per_joule",
            "1/J",
            lambda figures, clock: 1 / figures["energy"],
            largest=True,
            needs_joules=True,
        ),
    )
}
