"""The cycles of a program, layer by layer: `predict`."""

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hw.arch.accesses import counter_block
from hw.arch.config import Config
from hw.arch.counters import ACCESS_COUNTERS
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from sim.cycles.machine import Machine, machine, mesh_machine
from sim.cycles.records import COUNTER_NAMES
from sim.cycles.routed import routed_stream
from sim.cycles.stream import NO_VALUES, Values, command_stream

UNGATED = frozenset({"filter_spad_reads", "psum_spad_reads", "psum_spad_writes"})
"""Counters that depend on data where zeros are gated: the model counts as if there were none."""


def unknown(config: Config) -> frozenset[str]:
    """Counters that depend on data: the model cannot say what they will be."""
    return frozenset({"gated_macs"}) | (UNGATED if config.pe.zero_gating else frozenset())


UNMODELLED = (
    'control.kind must be "engines" where cycles are predicted: the model knows nothing of '
    "firmware, and a run with --target rtl counts its cycles"
)

Masks: TypeAlias = NDArray[np.uint8]

NO_MASKS: Masks = np.zeros(0, np.uint8)


@dataclass(frozen=True)
class Prediction:
    """What the counters will say.

    Attributes
    ----------
    layers : by layer index, the counters of the layer by name, as a COUNTERS command after every
        layer gives them (`compile_graph(profile=True)`), but for the `unknown` ones; none without
        such commands; those of all clusters together, but `cycles` of the slowest one
    accesses : by layer index likewise, those of `ACCESS_COUNTERS`, whether or not the configuration
        has them; `UNGATED` as if no activation were zero
    cycles : from the first command word accepted to the last result word accepted
    stepped : those of them that were simulated one by one
    """

    layers: dict[int, dict[str, int]]
    accesses: dict[int, dict[str, int]]
    cycles: int
    stepped: int = field(default=0, compare=False)


def check_modelled(config: Config) -> None:
    """Raises `RowforgeError` if the exact model does not know what a configuration has."""
    if config.control.microcontroller:
        raise RowforgeError(UNMODELLED)


def check_single(config: Config, what: str) -> None:
    """Refuses several clusters where something is for one: `what`, as in "units are traced"."""
    clusters = config.clusters
    if clusters.several:
        raise RowforgeError(
            f"clusters.y and clusters.x must be 1 where {what}, not {clusters.y} and {clusters.x}"
        )


def predict(
    program: Program,
    *,
    dry: bool = False,
    skip: bool = True,
    rate: float = 1,
    values: Values = NO_VALUES,
    masks: Masks | Sequence[Masks] | None = None,
    density: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Prediction:
    """Counters and cycles of a program's first run, the host always ready; exact.

    Parameters
    ----------
    program : Program
    dry : bool
        The program was compiled without filters (see `compiler.stream.stream.Stream`).
    skip : bool
        Take passes at once that went the same way before; False: step through every cycle, as
        several clusters always do.
    rate : float
        Link words a cycle, both directions together, as `link.rate`; 1: one each way.
    values : mapping of int to array
        By tensor index, what the host loads and stores, which says how long codes are and when
        their words come (`link.coding`); transfers of other tensors count as raw.
    masks : array of uint8, of several clusters a sequence of them, or None
        With PEs that skip zeros, a bit for every ifmap word in the order of delivery, 1 where it is
        not zero, first word lowest (`sim.masks.zero_masks` collects them). Then all counters are
        known, and every cycle is stepped through. Without masks zeros take their time, as in a
        dense PE: a bound.
    density : float or None
        In place of masks: the share of words that are not zero, each drawn by itself from a fixed
        seed. What comes out is an expectation.
    progress : callable or None
        Told the cycles so far, now and then.

    Raises
    ------
    RowforgeError
        If masks or a density are given for dense PEs, no C++ compiler is found, the program never
        ends, or its configuration has a processor, whose firmware is not modelled.
    """
    check_modelled(program.config)
    skips = masks is not None or density is not None
    if skips:
        check_skipping(program.config, density)
    with _machine(program, dry, rate, values, masks, density) as model:
        model.run(skip=skip and not skips, progress=progress)
        blocks, cycles, stepped = model.blocks(), model.cycles, model.stepped
    together = np.sum(blocks, axis=0)
    together[:, _CYCLES] = np.max(blocks[:, :, _CYCLES], axis=0)
    layers, accesses = by_layer(program.config, model.queries, together, skips=skips)
    return Prediction(layers=layers, accesses=accesses, cycles=cycles, stepped=stepped)


def by_layer(
    config: Config, queries: Sequence[int], blocks: NDArray[np.int64], *, skips: bool
) -> tuple[dict[int, dict[str, int]], dict[int, dict[str, int]]]:
    """The `layers` and `accesses` of a `Prediction`.

    Parameters
    ----------
    config : Config
    queries : for each counter block, the layer that it belongs to
    blocks : one a row, counters in the order of `COUNTER_NAMES`
    skips : it was known which activations are zero
    """
    totals: dict[int, dict[str, int]] = {}
    for layer, block in zip(queries, blocks.tolist(), strict=True):
        total = totals.setdefault(layer, dict.fromkeys(COUNTER_NAMES, 0))
        for name, value in zip(COUNTER_NAMES, block, strict=True):
            total[name] += value
    hidden = unknown(config) if not skips else frozenset[str]()
    known = counter_block(config).offsets.keys() - hidden
    return (
        {layer: _only(known, total) for layer, total in totals.items()},
        {layer: _only(_ACCESSES, total) for layer, total in totals.items()},
    )


def check_skipping(config: Config, density: float | None = None) -> None:
    """Refuses what only PEs that skip zeros can be asked for; and a density that is no share."""
    if config.pe.kind != "skipping":
        raise RowforgeError(
            f'pe.kind must be "skipping" where zeros save cycles, not "{config.pe.kind}"'
        )
    if density is not None and not 0 <= density <= 1:
        raise RowforgeError(f"the density must be 0 to 1, not {density:g}")


_ACCESSES = frozenset(field.name for field in ACCESS_COUNTERS)
_CYCLES = COUNTER_NAMES.index("cycles")


@contextmanager
def _machine(
    program: Program,
    dry: bool,
    rate: float,
    values: Values,
    masks: Masks | Sequence[Masks] | None,
    density: float | None,
) -> Iterator[Machine]:
    """The model of the program's configuration in front of its first cycle."""
    count = program.config.clusters.count
    if count > 1:
        each = [NO_MASKS] * count if masks is None else list(masks)
        routed = routed_stream(program, dry=dry)
        with mesh_machine(program, routed, rate=rate, masks=each, density=density) as model:
            yield model
        return
    bits = NO_MASKS if masks is None else np.asarray(masks)
    stream = command_stream(program, dry=dry, values=values)
    with machine(program, stream, rate=rate, masks=bits, density=density) as model:
        yield model


def _only(names: Set[str], counters: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in counters.items() if name in names}
