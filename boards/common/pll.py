"""Clock frequencies from an oscillator's: the settings of the parts' PLLs."""

from dataclasses import dataclass

from hw.arch.errors import RowforgeError

_TOLERANCE = 1e-3  # a serial line takes some percent; a thousandth keeps the report's figure true


@dataclass(frozen=True)
class PllSettings:
    """output = input · feedback / reference; the oscillator inside runs at output · divider."""

    reference: int
    feedback: int
    divider: int

    def output(self, source: float) -> float:
        """The frequency made from that of the input."""
        return source * self.feedback / self.reference


@dataclass(frozen=True, kw_only=True)
class PllLimits:
    """What a PLL can do: largest dividers, range of its oscillator and of its comparator in Hz."""

    reference: int
    feedback: int
    dividers: tuple[int, ...]
    inside: tuple[float, float]
    comparator: tuple[float, float]


ECP5 = PllLimits(
    reference=128,
    feedback=80,
    dividers=tuple(range(1, 129)),
    inside=(400e6, 800e6),
    comparator=(3.125e6, 400e6),
)
GW2A = PllLimits(
    reference=64,
    feedback=64,
    dividers=(2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128),
    inside=(500e6, 1250e6),
    comparator=(3e6, 500e6),
)


def settings(source: float, target: float, limits: PllLimits) -> PllSettings:
    """The settings whose output is nearest to `target`; of equals, the least divided ones.

    Raises `RowforgeError` if nothing comes within a thousandth.
    """
    low, high = limits.inside
    slow, fast = limits.comparator
    found = [
        (abs(source * feedback / reference - target), reference, feedback, divider)
        for reference in range(1, limits.reference + 1)
        if slow <= source / reference <= fast
        for feedback in range(1, limits.feedback + 1)
        for divider in limits.dividers
        if low <= source * feedback / reference * divider <= high
    ]
    if not found or min(found)[0] > _TOLERANCE * target:
        raise RowforgeError(
            f"clock must be one that the PLL makes of {source / 1e6:g} MHz, "
            f"not {target / 1e6:g} MHz"
        )
    return PllSettings(*min(found)[1:])
