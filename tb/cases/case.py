"""A case: a block, the bench that drives it, and what the bench reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hw.base.block import Block
from tb.build import Setting, simulate


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a user asks of a run.

    Attributes
    ----------
    seed : object
        Of all that is random in a case.
    stalls : float or None
        Share of the cycles in which a stream waits, 0 to below 1; None: what suits the bench.
    """

    seed: object = 1
    stalls: float | None = None

    def rate(self, usual: float) -> float:
        """The rate of stalls of a case that has one."""
        return usual if self.stalls is None else self.stalls


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run of a bench.

    Attributes
    ----------
    name : str
        For tables and files.
    block : partial of a Block's class
        The device under test.
    bench : str
        The module in `tb.benches`; `test` one of its tests, None for all.
    values : mapping
        What the bench reads; anything that JSON holds.
    """

    name: str
    block: "partial[Block]"
    bench: str
    values: Mapping[str, Any] = field(default_factory=dict)
    test: str | None = None

    def run(self, setting: Setting | None = None) -> Path:
        """Simulate; returns the results, raises `BenchFailedError` if a test fails."""
        return simulate(self.block, self.bench, self.values, test=self.test, setting=setting)
