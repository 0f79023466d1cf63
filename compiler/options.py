"""What may be chosen when a model is compiled; every layer passes it on whole."""

from dataclasses import dataclass

from compiler.schedule.goal import OBJECTIVES
from hw.arch.errors import RowforgeError
from numerics.quantisation import FIXED_RULES, RoundingRule

ROUNDINGS = tuple(rule.value for rule in RoundingRule if rule not in FIXED_RULES)


@dataclass(frozen=True, kw_only=True)
class CompileOptions:
    """How a model is compiled; a field that is left alone takes the model's own default.

    Attributes
    ----------
    rounding : "tflm", "ort", "single" or None
        How accumulators become outputs; None: as the model's own framework does.
    objective : "cycles", "traffic", "energy" or "edp"
        What schedules and mappings minimise: `compiler.schedule.goal.Goal`.
    zeros : float
        Share of zeros expected in activations: schedules weigh what is loaded as a code by it.
    wrap : bool
        Psums may wrap modulo 2^psum_width: the overflow proof is not wanted.
    no_host : bool
        Refuse a model that needs the host for an operator.
    allow_host_mac : bool
        A convolution that the array cannot compute may run on the host.
    dump : bool
        Every operator's output comes to the host.
    keep_constant_channels : bool
        Compute channels that are constant or that nobody reads, too: `compiler.removal`.
    profile : bool
        The counters are asked for after every layer, which empties the pipeline each time.
    counted : bool
        They are asked for once, before the program ends: a query of layer -1. With `profile` they
        are not.

    Raises
    ------
    RowforgeError
        For an objective or a rounding that does not exist, and for a share that is none.
    """

    rounding: str | None = None
    objective: str = "cycles"
    zeros: float = 0.0
    wrap: bool = False
    no_host: bool = False
    allow_host_mac: bool = False
    dump: bool = False
    keep_constant_channels: bool = False
    profile: bool = False
    counted: bool = False

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise RowforgeError(
                f"objective must be one of {', '.join(OBJECTIVES)}, not {self.objective!r}"
            )
        if not 0 <= self.zeros <= 1:
            raise RowforgeError(f"zeros must be a share from 0 to 1, not {self.zeros!r}")
        if self.rounding is not None and self.rounding not in ROUNDINGS:
            raise RowforgeError(
                f"rounding must be one of {', '.join(ROUNDINGS)}, not {self.rounding!r}"
            )


DEFAULTS = CompileOptions()
