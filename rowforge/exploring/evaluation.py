"""Figures of one configuration, as a pure function: `evaluate`."""

import gc
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from compiler.options import DEFAULTS
from hw.arch.config import Config
from hw.arch.config.section import Value
from hw.arch.errors import RowforgeError
from rowforge.area.cells import CellCount
from rowforge.area.model import modelled
from rowforge.estimation import estimate
from rowforge.options import named_technology


@dataclass(frozen=True, kw_only=True)
class Job:
    """A configuration to evaluate: all that its figures depend on.

    Attributes
    ----------
    values : of all fields of the configuration, by full name
    models : path or name, and weight, of each
    technology : prices of accesses, None for the normalised ones
    """

    values: Mapping[str, Value]
    models: tuple[tuple[str, float], ...]
    technology: str | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """What a configuration came to.

    Attributes
    ----------
    figures : see `rowforge.exploring.objectives.Figures`; empty if it was refused
    cells : of the model of areas
    refusal : why there can be no such accelerator, or why it cannot run a model; "" if it can
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    cells: Mapping[str, int] = field(default_factory=dict)
    refusal: str = ""


def evaluate(job: Job) -> Evaluated:
    """The figures of a configuration; they depend on nothing but the job."""
    try:
        config = Config.of(job.values)
        cells = modelled(config)
        figures = _weighed(config, job)
    except RowforgeError as error:
        return Evaluated(refusal=" ".join(str(error).split()))
    finally:
        # Tables of mappings are large, few, and refer to themselves. Workers of Dask wait so long
        # before they look for such objects that they would grow by gigabytes.
        gc.collect()
    return Evaluated(figures={**figures, "area": float(cells.luts)}, cells=asdict(cells))


def _weighed(config: Config, job: Job) -> dict[str, float]:
    table = named_technology(job.technology)
    sums = dict.fromkeys(("cycles", "energy", "traffic"), 0.0)
    for model, weight in job.models:
        total: Mapping[str, Any] = estimate(model, config, DEFAULTS, table=table)["total"]
        sums["cycles"] += weight * total["cycles"]
        sums["energy"] += weight * total["energy"]["total"] * (table.joules or 1)
        sums["traffic"] += weight * total["link_bytes"]
    return sums


def cells_of(evaluated: Evaluated) -> CellCount:
    """Its cells; none if it was refused."""
    return CellCount(**evaluated.cells)
