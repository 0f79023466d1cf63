"""Random networks by the C runtime."""

from dataclasses import dataclass

from compiler.compile import compile_graph
from compiler.options import CompileOptions
from hw.arch.errors import RowforgeError
from hw.arch.program import Host, Load
from tests.campaigns.c_runtime.compare import WAYS, both
from tests.campaigns.fuzz_network.cases import EACH, make_case


@dataclass(frozen=True)
class NetworkFinding:
    """What became of a random network: what is wrong, "" if nothing, and what it showed."""

    label: str
    shown: tuple[str, ...]
    wrong: str

    def __str__(self) -> str:
        return f"{self.label:8} {', '.join(self.shown)}: {self.wrong or 'equal'}"


def random_network(seed: int, number: int) -> NetworkFinding:
    """A network of the `number`-th configuration of `make fuzz-network`, in one of the ways.

    Networks that do not suit their configuration are passed over for the next ones.
    """
    for place in range(EACH):
        case = make_case(seed, number * EACH + (number + place) % EACH)
        try:
            program = compile_graph(case.graph, case.config, CompileOptions(**case.options))
        except RowforgeError:
            continue
        way = WAYS[(number + seed) % len(WAYS)]
        exported, ran, wrong = both(program, case.inputs[0], way, f"{seed}:{number}")
        shown = {
            "way": way.name,
            "memory": case.config.memory.kind if exported.replayed else "stream",
            "coding": case.config.link.coding,
            "elements": f"{case.config.array.data_width} bits",
        }
        found = [f"{name} {value}" for name, value in shown.items()]
        steps = program.steps
        if ran.asked:
            found.append("steps of the user's")
        hosts = [number for number, step in enumerate(steps) if isinstance(step, Host)]
        if hosts and any(isinstance(step, Load) for step in steps[hosts[0] :]):
            found.append("a LOAD after a host step")
        if len(program.memory):
            found.append("weight memory")
        return NetworkFinding(f"{case.seed}:{case.index}", tuple(found), wrong)
    return NetworkFinding(f"{seed}:{number * EACH}", (), "")
