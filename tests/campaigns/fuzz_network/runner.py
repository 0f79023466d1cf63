"""Runs a case: both of its schedules against the golden model, on the RTL too where it is meant to.

With every layer kept for a comparison, a tensor is on the host as soon as it is computed; without,
tensors stay in the buffer, are evicted and come back. A fault of the second schedule shows only in
the outputs, so the first says which layer is wrong if both are.
"""

from dataclasses import dataclass, replace

from compiler.ir.graph import Graph
from tests.campaigns.fuzz.runner import run_case
from tests.campaigns.fuzz_network.cases import NetworkCase
from tests.campaigns.fuzz_network.coverage import Feature, features


@dataclass(frozen=True)
class Finding:
    """What became of a case: "passed", "refused" or "failed", what to say of it, what it showed."""

    case: NetworkCase
    status: str
    message: str = ""
    cycles: int = 0
    shown: tuple[Feature, ...] = ()

    @property
    def label(self) -> str:
        """How the case is named on the command line."""
        return f"{self.case.seed}:{self.case.index}"


def check(case: NetworkCase, *, rtl: bool = True) -> Finding:
    """Run a case with every layer kept, then without; `rtl` allows its simulation."""
    kept = run_case(replace(case, options={**case.options, "dump": True}), rtl=False)
    if kept.status != "passed":
        return Finding(case, kept.status, f"layers kept: {kept.message}")
    simulated = rtl and case.simulated
    plain = run_case(replace(case, options={**case.options, "dump": False}), rtl=simulated)
    if plain.status != "passed" or plain.program is None:
        return Finding(case, plain.status, f"layers not kept: {plain.message}")
    shown = features(case.graph, case.config, plain.program)
    if simulated:
        shown.append(("campaign", "simulated"))
    return Finding(case, "passed", cycles=plain.cycles, shown=tuple(shown))


def described(graph: Graph) -> list[str]:
    """A line for every operator."""
    lines = []
    for node in graph.nodes:
        inputs = ", ".join(f"{key} {list(graph.tensors[key].shape)}" for key in node.inputs)
        attributes = [
            f"{name} {getattr(node, name)}"
            for name in ("axis", "window", "stride", "pad", "pads", "dilation", "groups")
            if hasattr(node, name)
        ]
        if hasattr(node, "weights"):
            attributes.insert(0, f"filters {'x'.join(map(str, node.weights.shape))}")
        target = graph.tensors[node.output]
        output = " (output)" if node.output in graph.outputs else ""
        lines.append(
            f"{node.op}({inputs}) {'; '.join(attributes)} -> "
            f"{node.output} {list(target.shape)} {target.dtype}{output}"
        )
    return lines
