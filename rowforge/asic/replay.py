"""Energy of a layer on a netlist: simulated, and counted level by level: `replay`."""

from contextlib import closing
from dataclasses import dataclass

from compiler.compile import compile_graph, estimate_graph
from compiler.ir.graph import Graph
from compiler.options import CompileOptions
from hw.arch.accesses import Level
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.asic.netlist.energy import SpentEnergy, spent_energy
from hw.asic.netlist.netlist import Netlist
from rowforge.asic.flow import CornerLibraries
from rowforge.energy.layer_tally import LayerTally, layer_tally
from rowforge.testbench.network import random_input
from sim.link import RtlLink
from sim.netlist.gates.activity import clear_activity, read_activity
from sim.netlist.gates.design import GateDesign
from sim.netlist.gates.library import gate_library
from sim.replay import functional_link
from sw_driver.runtime import Runtime

_NETWORK = ("engine", "reader", "writer")  # ends of the names of blocks that feed and empty PEs
_BUFFER = ("buffer", "prefetch", "arbiter")
_INPUTS = ("ifmap_queue", "filter_queue", "psum_queue")  # of a PE: ends of the network
_SPADS = ("ifmap_spad", "filter_spad", "walk")  # the walk makes addresses of both


@dataclass(frozen=True)
class Replay:
    """A layer as a netlist computed it.

    Attributes
    ----------
    cycles : core cycles, commands included
    tally : what the layer accesses
    spent : joules by level; at level IDLE what belongs to no access: the clock where nothing gates
        it, leakage, and everything that control, vector engine and post-processor spend
    """

    cycles: int
    tally: LayerTally
    spent: dict[Level, float]

    @property
    def total(self) -> float:
        """Joules of the layer."""
        return sum(self.spent.values())


def level_of(path: str) -> Level | None:
    """The level that an instance works for, by its path; None: for none."""
    names = path.split(".")
    if "array" in names:
        inside = names[names.index("array") + 1 :]
        if not inside or not inside[0].startswith("pe_"):
            return Level.NETWORK
        part = inside[1] if len(inside) > 1 else ""
        if part in _INPUTS:
            return Level.NETWORK
        # The queue of sums counts as MAC: its input changes with every product.
        return Level.SPAD if part in _SPADS else Level.MAC
    block = next((name for name in names if name not in ("core", "engine")), "")
    if block.endswith(_BUFFER):
        return Level.BUFFER
    return Level.NETWORK if block.endswith(_NETWORK) and block != "vector_engine" else None


def spent_by_level(instances: dict[str, SpentEnergy]) -> dict[Level, float]:
    """Joules by level, of the joules of instances."""
    spent = dict.fromkeys((Level.MAC, Level.SPAD, Level.NETWORK, Level.BUFFER, Level.IDLE), 0.0)
    for path, energy in instances.items():
        level = level_of(path)
        spent[Level.IDLE] += energy.idle if level else energy.total
        if level is not None:
            spent[level] += energy.total - energy.idle
    return spent


def replay(
    config: Config,
    corner: CornerLibraries,
    netlist: Netlist,
    design: GateDesign,
    graph: Graph,
    *,
    period_ns: float,
) -> Replay:
    """Run a network of one layer on a netlist, and count what it spends.

    Parameters
    ----------
    config : Config
    corner : CornerLibraries
        Whose energies and leakage are counted.
    netlist : Netlist
        Of the configuration, by `analyse`.
    design : GateDesign
        The same for simulation.
    graph : Graph
        With one layer of the array.
    period_ns : float
        Clock period that leakage is counted for.

    Raises `RowforgeError` if the netlist computes anything else than the functional executor.
    """
    program = compile_graph(graph, config, CompileOptions(wrap=True))
    x = random_input(graph)
    wanted = Runtime(functional_link(config), config).run(program, x).outputs
    library = gate_library(design)
    with closing(RtlLink(config, library=library)) as link:
        clear_activity(library)
        before = link.engine.total_cycles
        found = Runtime(link, config).run(program, x).outputs
        cycles = link.engine.total_cycles - before
        toggles = read_activity(library, design, netlist, cycles)
    for tensor, values in wanted.items():
        if not (found[tensor] == values).all():
            raise RowforgeError(f"netlist and executor differ in tensor {tensor}")
    spent = spent_energy(netlist, corner.libraries, toggles, seconds=cycles * period_ns * 1e-9)
    tally = sum(map(layer_tally, estimate_graph(graph, config)), LayerTally())
    return Replay(cycles, tally, spent_by_level(spent))
