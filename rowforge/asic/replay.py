"""Energy of a layer on a netlist: simulated, recorded, and counted level by level: `replay`."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from compiler.compile import compile_graph, estimate_graph
from compiler.ir.graph import Graph
from compiler.options import CompileOptions
from hw.arch.accesses import Level
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.asic.netlist.energy import SpentEnergy, spent_energy
from hw.asic.netlist.netlist import Netlist
from hw.asic.netlist.toggles import read_vcd
from hw.asic.process import Process
from rowforge.asic.flow import CornerLibraries
from rowforge.energy.layer_tally import LayerTally, layer_tally
from rowforge.testbench.network import random_input
from sim.golden import run_graph
from sim.link import RtlLink
from sim.netlist.asic_netlist import cell_models, netlist_library
from sw_driver.runtime import Runtime

_SCOPES = 2  # of a wave around the design: the simulator's, and the design's own
_NETWORK = ("engine", "reader", "writer")  # ends of the names of blocks that feed and empty PEs
_BUFFER = ("buffer", "prefetch", "arbiter")


@dataclass(frozen=True)
class Replay:
    """A layer as a netlist computed it.

    Attributes
    ----------
    cycles : core cycles, reset and commands included
    tally : what the layer accesses
    spent : joules by level; at level IDLE what belongs to no access: clock and leakage of all
        blocks, and everything that control, vector engine and post-processor spend
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
        if any(name.endswith("queue") for name in inside[1:]):
            return Level.NETWORK
        return Level.SPAD if any("spad" in name for name in inside[1:]) else Level.MAC
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
    process: Process,
    corner: CornerLibraries,
    folder: Path,
    netlist: Netlist,
    graph: Graph,
    *,
    period_ns: float,
) -> Replay:
    """Run a network of one layer on a netlist, and count what it spends.

    Parameters
    ----------
    config : Config
    process : Process
    corner : CornerLibraries
        Whose energies and leakage are counted.
    folder : Path
        Where `analyse` worked.
    netlist : Netlist
        Its result.
    graph : Graph
        With one layer of the array.
    period_ns : float
        Clock period that leakage is counted for.

    Raises `RowforgeError` if the netlist computes anything else than the golden model.
    """
    macros = (folder / "rowforge_macros.v").read_text()
    models = cell_models(process, corner.cells.text)
    library = netlist_library(netlist.verilog, models, macros, netlist.top, trace=True)
    program = compile_graph(graph, config, CompileOptions(wrap=True))
    x = random_input(graph)
    with tempfile.TemporaryDirectory() as name:
        wave = Path(name) / "layer.vcd"
        link = RtlLink(config, library=library, trace=wave)
        try:
            found = Runtime(link, config).run(program, x).outputs
        finally:
            link.close()
        wanted = run_graph(graph, {graph.inputs[0]: x})
        for key in graph.outputs:
            if not (found[graph.tensors[key].name] == wanted[key]).all():
                raise RowforgeError(f"netlist and golden model differ in tensor {key}")
        toggles = read_vcd(wave, levels=_SCOPES)
    cycles = toggles.span // toggles.period
    spent = spent_energy(netlist, corner.libraries, toggles, seconds=cycles * period_ns * 1e-9)
    tally = sum(map(layer_tally, estimate_graph(graph, config)), LayerTally())
    return Replay(cycles, tally, spent_by_level(spent))
