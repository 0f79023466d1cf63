"""Runs single layers of random data through the RTL, beside golden model and cycle model."""

from dataclasses import dataclass, replace
from typing import Any

from compiler.compile import compile_graph
from rowforge.reports.published import chip_link_rate
from rowforge.reports.report import utilisation
from rowforge.running.check import Difference
from rowforge.running.compilation import Compiled
from rowforge.running.crop import Workload
from rowforge.running.execution import run_once
from rowforge.running.seeded import Shares, seeded_layer, share_of_zeros
from rowforge.running.targets import PACED, RTL
from sim.cycles.predict import predict
from sim.masks import zero_masks

SEED = 1
CONTRACT_CYCLES = 16  # by which the model may always differ from the RTL
CONTRACT_SHARE = 0.01  # of the RTL's cycles by which it may differ


@dataclass(frozen=True)
class LayerRun:
    """What became of a layer on the RTL.

    Attributes
    ----------
    work : what ran
    cycles : by the RTL's counter
    model_cycles : of the same program by the exact model (`sim.cycles`)
    paced : (RTL, exact model) cycles of the plain program over a slow link
    counters : all of the RTL's counters
    outputs : values compared with the golden model
    zeros : shares of zeros of the input and of what was computed
    difference : the first that differs, None if none does
    """

    work: Workload
    cycles: int
    model_cycles: int
    paced: tuple[int, int]
    counters: dict[str, int]
    outputs: int
    zeros: dict[str, float]
    difference: Difference | None

    @property
    def error(self) -> int:
        """Cycles of the model more than those of the RTL."""
        return self.model_cycles - self.cycles

    @property
    def paced_error(self) -> int:
        """The same over a slow link."""
        return self.paced[1] - self.paced[0]

    @property
    def allowed(self) -> int:
        """Magnitude of `error` that the cycle contract allows."""
        return max(CONTRACT_CYCLES, int(self.cycles * CONTRACT_SHARE))

    @property
    def within(self) -> bool:
        """Whether the contract holds, over either link."""
        return max(abs(self.error), abs(self.paced_error)) <= self.allowed

    def row(self, whole: Workload) -> dict[str, Any]:
        """The run as a part of a report on the layer `whole`."""
        config, macs = self.work.config, self.work.layer.macs
        active = self.counters["pe_active_cycles"] * config.pe.macs
        return {
            "part": self.work.describe(whole),
            "macs": macs,
            "cycles": self.cycles,
            "model_cycles": self.model_cycles,
            "difference": self.error,
            "chip_link_cycles": self.paced[0],
            "chip_link_difference": self.paced_error,
            "allowed": self.allowed,
            "within": self.within,
            "utilization": utilisation(config, macs, self.cycles),
            "active_utilization": round(macs / active, 4) if active else None,
            "outputs": self.outputs,
            "zeros": {name: round(share, 4) for name, share in self.zeros.items()},
            "exact": self.difference is None,
            "first_difference": None if self.difference is None else str(self.difference),
            "counters": self.counters,
        }


def run_layer(
    work: Workload,
    shares: Shares,
    *,
    target: str = RTL,
    paced_target: str = PACED,
    seed: int = SEED,
) -> LayerRun:
    """Run a layer with random weights and inputs, and compare every output.

    Values cover the whole range of their type; psums wrap modulo 2^psum_width, which the golden
    model does likewise, so that equality is of every bit. Outputs are clamped at zero.

    Parameters
    ----------
    work : Workload
    shares : of zeros; biases are chosen for that of the outputs
    target, paced_target : "rtl" and "rtl-paced", or others that have counters
    seed : of all random values
    """
    config = work.config
    graph, inputs = seeded_layer(work, shares, seed)
    options = replace(work.options, wrap=True, profile=True)
    program = compile_graph(graph, config, options)
    compiled = Compiled(program, graph, wrap=True)
    result = run_once(compiled, inputs, target)
    counters = dict(result.counters[0])
    plain = program.uncounted()
    values, masks = {program.inputs[0]: inputs}, zero_masks(plain, inputs)
    (output,) = result.outputs.values()
    paced = run_once(replace(compiled, program=plain), inputs, paced_target)
    return LayerRun(
        work=work,
        cycles=counters["cycles"],
        model_cycles=predict(program, values=values, masks=masks).layers[0]["cycles"],
        paced=(
            paced.cycles or 0,
            predict(plain, rate=chip_link_rate(config), values=values, masks=masks).cycles,
        ),
        counters=counters,
        outputs=graph.tensors[graph.outputs[0]].elements,
        zeros={"input": share_of_zeros(inputs), "output": share_of_zeros(output)},
        difference=result.difference or paced.difference,
    )
