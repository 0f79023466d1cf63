"""The figures that the search minimises."""

from typing import Any

from compiler.mapper.space import Plan
from hw.arch.accesses import DataType, Level
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.energy import technology

SPARING = "sparing cycles"

PRICES = {
    level: technology().level_price(level) for level in (Level.NETWORK, Level.BUFFER, Level.LINK)
}
"""What a 16-bit access costs at each level, by the normalised table (`hw.arch.energy`).

MACs and scratchpads are left out: the mapper does not count their accesses.
"""

_TIES = 1e-4  # weight of the figure that breaks ties
_SPARED = 3e-3  # cycles that `SPARING` gives for a buffer word less
_BUFFER_SHARE = 1e-3  # of a link word, what a buffer word weighs in `traffic`
# Of the time that streamed filters take on a slow link, what counts against a mapping. Most of it
# hides behind computing, and what does not is known of a whole tiling only; measured with AlexNet
# over 0.3 words a cycle, where 0 costs 8 % more cycles and 1 gains 0.3 %.
_SLOW_LINK = 0.3


def objective(name: str, config: Config, cycles: Any, glb: Any, filters: Any) -> Any:
    """The figure to minimise, of numbers or of arrays over candidates.

    glb : words read from and written to the buffer; filters : words of filters sent to PEs.
    `traffic` counts link words of filters that are streamed, then buffer words; `energy` adds what
    every word costs on its way: buffer, network and, for filters that are streamed, the host's
    memory. Cycles break ties of these two, buffer words break ties of `cycles`. `SPARING` stands
    for `cycles` within a tile: few buffer words for hardly more cycles. Over a link of less than a
    word a cycle both pay for filters that are streamed.
    """
    streamed = 0
    if not config.buffer.weight_memory:
        streamed = filters * config.array.data_width / LINK_WORD_BITS
    if name == "traffic":
        return streamed + _BUFFER_SHARE * glb + _BUFFER_SHARE * _TIES * cycles
    if name == "energy":
        source = PRICES[Level.BUFFER if config.buffer.weight_memory else Level.LINK]
        moved = PRICES[Level.BUFFER] * glb + source * filters
        return moved + PRICES[Level.NETWORK] * (glb + filters) + _TIES * cycles
    waits = _SLOW_LINK * streamed / config.link.rate if config.link.rate < 1 else 0
    return cycles + waits + (_SPARED if name == SPARING else _TIES) * glb


def plan_objective(name: str, config: Config, plan: Plan) -> float:
    """The figure of a plan."""
    words = plan.load.accesses.words
    glb, filters = words(Level.BUFFER), words(Level.NETWORK, DataType.FILTER)
    return float(objective(name, config, plan.cycles, glb, filters))
