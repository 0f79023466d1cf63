"""The figures that the search minimises."""

from typing import Any

from compiler.mapper.space import Plan
from hw.arch.accesses import DataType, Level
from hw.arch.config import Config

SPARING = "sparing cycles"

_HOST_ENERGY, _GLB_ENERGY, _ARRAY_ENERGY = 200, 6, 2  # a word's, in register file accesses
_TIES = 1e-4  # weight of the figure that breaks ties
_SPARED = 3e-3  # cycles that `SPARING` gives for a buffer word less


def objective(name: str, config: Config, cycles: Any, glb: Any, filters: Any) -> Any:
    """The figure to minimise, of numbers or of arrays over candidates.

    glb : words read from and written to the buffer; filters : words of filters sent to PEs.
    `traffic` counts buffer words; `energy` adds what every word costs on its way: buffer, network
    and, for filters that are streamed, the host's memory. Cycles break ties of these two, buffer
    words break ties of `cycles`. `SPARING` stands for `cycles` within a tile: few buffer words for
    hardly more cycles.
    """
    if name == "traffic":
        return glb + _TIES * cycles
    if name == "energy":
        filter_energy = _GLB_ENERGY if config.buffer.weight_memory else _HOST_ENERGY
        moved = _GLB_ENERGY * glb + filter_energy * filters + _ARRAY_ENERGY * (glb + filters)
        return moved + _TIES * cycles
    return cycles + (_SPARED if name == SPARING else _TIES) * glb


def plan_objective(name: str, config: Config, plan: Plan) -> float:
    """The figure of a plan."""
    words = plan.load.accesses.words
    glb, filters = words(Level.BUFFER), words(Level.NETWORK, DataType.FILTER)
    return float(objective(name, config, plan.cycles, glb, filters))
