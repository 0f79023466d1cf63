"""One program on the RTL and in the models: how far every counter of every layer is apart.

The cycle model says all that does not depend on data, the functional one counts the accesses.
"""

from dataclasses import dataclass, field, replace

from compiler.compile import compile_graph
from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.arch.counters import ACCESS_COUNTERS
from hw.arch.program import Program
from sim.cycles import predict
from sim.cycles.stream import Values
from sim.functional import FunctionalAccelerator
from sim.link import RtlLink
from sim.masks import keep_masks, kept_masks
from sim.mesh import FunctionalMesh
from sw_driver.runtime import Runtime
from tests.campaigns.fuzz.cases import Case
from tests.campaigns.fuzz.runner import OPTIMISE

_PATIENCE = 300_000  # cycles without a word on either stream
_CYCLES, _SHARE = 16, 0.01


def holds(model: int, rtl: int) -> bool:
    """Whether cycles by the model are as near to those of the RTL as the contract says."""
    return abs(model - rtl) <= max(_CYCLES, _SHARE * rtl)


@dataclass(frozen=True)
class LayerResult:
    """A layer's cycles by model and RTL, and the other counters that differ: {name: (m, r)}.

    A name with `!` is that of a counter which the functional model counts differently.
    """

    name: str
    op: str
    model: int
    rtl: int
    others: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def difference(self) -> int:
        """Cycles that the model is above the RTL."""
        return self.model - self.rtl

    @property
    def holds(self) -> bool:
        """The contract is kept."""
        return holds(self.model, self.rtl)


@dataclass(frozen=True)
class ProgramResult:
    """The layers of a program, and the cycles of the whole run by model and RTL.

    dense : cycles of a run on dense PEs, by the model; None if these are dense
    """

    layers: list[LayerResult]
    model: int
    rtl: int
    dense: int | None = None

    @property
    def slower(self) -> bool:
        """PEs that skip zeros take notably longer than dense ones."""
        return self.dense is not None and self.rtl > self.dense + max(32, 0.01 * self.dense)

    @property
    def exact(self) -> bool:
        """Nothing differs at all."""
        layers = [layer.difference == 0 and not layer.others for layer in self.layers]
        return self.model == self.rtl and all(layers)


def compiled(case: Case) -> Program:
    """The case's program, with every counter for every layer; for engines, which are modelled."""
    # Programs in a memory are compared apart: tests/campaigns/contract/replays.py.
    without = {"memory.kind": "none", "memory.words": 0}
    config = case.config.with_values(
        {"control.kind": "engines", "control.access_counters": True, **without}
    )
    return compile_graph(case.graph, config, CompileOptions(**{**case.options, "profile": True}))


_OF_ZEROS = {"gated_macs", "filter_spad_reads", "psum_spad_reads", "psum_spad_writes"}
"""Counters that depend on which activations are zero."""


def reads_other_lanes(program: Program, layer: int) -> bool:
    """Whether PEs get lanes after the last channel: nobody says whether those hold zeros."""
    parts = program.layers[layer].mapping.get("parts", [])
    return any(part["shape"]["C"] % program.config.lanes for part in parts)


_OF_SENDING = {"psum_spad_reads", "psum_spad_writes"}
"""Counters that depend on when words come, where PEs skip zeros: a round may only send."""


def counted_by_the_functional_model(config: Config) -> list[str]:
    """Counters that do not depend on time; of multiplications it leaves out those of `odd`."""
    names = [counter.name for counter in ACCESS_COUNTERS]
    if skips_zeros(config):
        return [name for name in names if name not in _OF_SENDING]
    return [*(["macs", "gated_macs"] if config.pe.macs == 1 else []), *names]


def skips_zeros(config: Config) -> bool:
    """Whether cycles depend on data."""
    return config.pe.kind == "skipping"


def compare(case: Case) -> ProgramResult:
    """Run a case on its RTL over a link of its rate, the host always ready, and predict it."""
    program = compiled(case)
    link = RtlLink(
        program.config,
        seed=case.index + 1,
        patience=_PATIENCE,
        optimise=OPTIMISE,
        rate=program.config.link.rate,
    )
    try:
        run = Runtime(link, program.config).run(program, case.inputs[0])
    finally:
        link.close()
    skips = skips_zeros(program.config)
    several = program.config.clusters.several
    executor = (FunctionalMesh if several else FunctionalAccelerator)(program.config)
    keep_masks(executor)
    accesses = Runtime(executor, program.config).run(program, case.inputs[0]).counters
    model = predict(
        program,
        rate=program.config.link.rate,
        values=run.tensors,
        masks=kept_masks(executor) if skips else None,
    )
    assert set(model.layers) == set(run.counters) == set(accesses)
    layers = []
    for index, counted in run.counters.items():
        predicted = model.layers[index]
        others = {
            name: (value, counted[name])
            for name, value in predicted.items()
            if name != "cycles" and value != counted[name]
        }
        others |= {
            f"{name}!": (accesses[index][name], counted[name])
            for name in counted_by_the_functional_model(program.config)
            if accesses[index][name] != counted[name]
            and not (name in _OF_ZEROS and reads_other_lanes(program, index))
        }
        if skips and reads_other_lanes(program, index):
            others = {}  # they take steps or none; the cycles must still be within the contract
        layer = program.layers[index]
        layers.append(
            LayerResult(layer.name, layer.op, predicted["cycles"], counted["cycles"], others)
        )
    dense = _dense_cycles(case, run.tensors) if skips else None
    return ProgramResult(layers, model.cycles, run.cycles or 0, dense)


def _dense_cycles(case: Case, values: Values) -> int:
    """Of the same case on dense PEs, by the model."""
    program = compiled(replace(case, config=case.config.with_values({"pe.kind": "dense"})))
    return predict(program, rate=program.config.link.rate, values=values).cycles
