"""The cases of a campaign: configuration, how small a buffer, graph, inputs."""

from dataclasses import dataclass
from itertools import islice
from math import ceil

import numpy as np

from compiler.ir.graph import Graph
from compiler.schedule.goal import OBJECTIVES
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from tests.campaigns.fuzz.builder import GraphBuilder
from tests.campaigns.fuzz.cases import Case, random_inputs, zeroed
from tests.campaigns.fuzz.configs import configuration
from tests.campaigns.fuzz_network.network import Network
from tests.campaigns.fuzz_network.steps import steps, take

EACH = 6  # cases of a configuration: a case's index is configuration * EACH + place
SIMULATED = 3  # every so many configurations have their cases simulated
_BANKS = (4, 5, 6, 8, 11, 16, 22)  # of the least depth, for activations
_PARAMETERS = 160  # of the largest average pool, one for each count of taps and unit
_MOST_NODES = 12
_TRIES = 6  # steps tried for each that is wanted
_ATTEMPTS = 50
_READ_ON = 0.25  # share of graphs with an output that is read on
_IDLE = 0.4  # share of convolutions with filters or inputs that are all zero
_WORK, _WORK_SIMULATED = 100_000, 4000  # multiply-accumulates for each multiplier
_MOST_SIMULATED = 6.0  # buffers that a tensor takes in a simulation at most


@dataclass(frozen=True, kw_only=True)
class NetworkCase(Case):
    """A case of which every schedule is compared; `simulated` on the RTL too."""

    simulated: bool = False


def make_case(seed: int, index: int) -> NetworkCase:
    """Case `index` of the campaign `seed`."""
    number, place = divmod(index, EACH)
    config = small_configuration(seed, number)
    simulated = number % SIMULATED == 0 and not config.control.microcontroller
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([seed, number, place, attempt, 11])
        graph = small_graph(
            rng, config, simulated=simulated, zeroed=zeroed(config, (seed, number, place))
        )
        if graph is not None:
            break
    else:
        raise RuntimeError(f"no graph found for {config}")
    return NetworkCase(
        seed=seed,
        index=index,
        theme="network",
        config=config,
        graph=graph,
        inputs=[random_inputs(rng, graph)],
        options={
            "wrap": False,
            "dump": False,
            "profile": bool(rng.random() < 0.2),
            "objective": str(rng.choice(OBJECTIVES)),
        },
        stall_seed=int(rng.integers(1, 1 << 30)) if rng.random() < 0.5 else None,
        simulated=simulated,
    )


def small_configuration(seed: int, number: int) -> Config:
    """Configuration `number` with a buffer of a few hundred words.

    Psums keep the banks of two beats; activations have few banks beside them, or reach all. The
    scratchpads hold a beat and the parameters those of any pool here: a graph of a dozen operators
    must not be refused for one of them.
    """
    config = configuration(seed, number)
    rng = np.random.default_rng([seed, number, 12])
    depth = int(rng.choice([32, 32, 64]))
    banks = int(rng.choice(_BANKS)) if depth == 32 else ceil(int(rng.choice(_BANKS)) / 2)
    pair = 2 * config.banks_per_beat
    K = config.pe.macs
    psums = ceil(max(config.pe.psum_spad, config.post.units) / K) * K
    filters = ceil(config.noc.ifmap * ceil(config.post.units / K) * K / config.noc.filter)
    return config.with_values(
        {
            "pe.ifmap_spad": max(config.pe.ifmap_spad, config.noc.ifmap),
            "pe.psum_spad": psums,
            "pe.filter_spad": max(config.pe.filter_spad, 2 * filters * config.noc.filter),
            "post.channels": max(config.post.channels, _PARAMETERS),
            "buffer.depth": depth,
            "buffer.banks": banks + pair,
            "buffer.act_banks": banks if config.buffer.act_banks else 0,
            "buffer.psum_banks": pair if config.buffer.psum_banks else 0,
        }
    )


def small_graph(
    rng: np.random.Generator, config: Config, *, simulated: bool, zeroed: bool = False
) -> Graph | None:
    """A graph of 2 to 12 operators; None if this attempt does not yield one."""
    wide = config.array.data_width == 16
    dtype = "int16" if wide else str(rng.choice(["int8", "int8", "uint8"]))
    builder = GraphBuilder(rng, config, dtype, wrap=False, size=1.0, zeroed=zeroed)
    builder.overflowing = 0.005  # a refused operator spoils the whole graph
    builder.idle = _IDLE
    work = (_WORK_SIMULATED if simulated else _WORK) * config.multipliers
    network = Network(builder, work=work, **({"most": _MOST_SIMULATED} if simulated else {}))
    network.new_image()
    wanted = int(rng.integers(2, _MOST_NODES + 1))
    for step in islice(steps(network), _TRIES * wanted):
        take(network, step)
        if len(builder.nodes) >= wanted:
            break
    if len(builder.nodes) < 2:
        return None
    if rng.random() < _READ_ON:
        network.also = {builder.nodes[int(rng.integers(len(builder.nodes)))].output}
    try:
        return network.graph("network")
    except RowforgeError:
        return None
