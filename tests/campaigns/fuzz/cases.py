"""The cases of a campaign: which configuration, which graph, which options, which stalls."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.ir.graph import Graph, Tensor
from compiler.ir.ops import Conv
from compiler.schedule.goal import OBJECTIVES
from hw.arch.config import Config
from hw.arch.config.modes import WHOLE_SUM_BITS
from hw.arch.errors import RowforgeError
from numerics.quantisation import INTEGER_RANGES
from tests.campaigns.fuzz import convolutions, networks, vectors
from tests.campaigns.fuzz.builder import GraphBuilder
from tests.campaigns.fuzz.configs import clustered, configuration
from tests.campaigns.fuzz.sparsity import DENSITIES, SHAPES, WEIGHT_DENSITIES, thinned
from tests.campaigns.fuzz.values import stored

Theme = Callable[[GraphBuilder], object]

CASES = 1000  # case numbers that a configuration has: a case's index is config * CASES + number
SLICE_SEED = 1
NARROW, WIDE = 38, 32  # configurations of 8 and 16 bits whose simulators are quickly built
_ATTEMPTS = 200
_SHRINK = 0.97
_ZEROED = 0.5  # share of the 16-bit cases with whole sums that are as ONNX has them

_BOTH: tuple[Theme, ...] = (
    convolutions.any_convolution,
    convolutions.line_convolution,
    convolutions.pointwise,
    convolutions.wide_stride,
    convolutions.dilated,
    convolutions.depthwise,
    convolutions.depthwise_multiplied,
    convolutions.depthwise_multiplied,
    convolutions.grouped,
    convolutions.dense,
    convolutions.dense_rows,
    convolutions.raw_output,
    convolutions.spilling,
    convolutions.deep,
    convolutions.deep,
    vectors.max_pool,
    vectors.average_pool,
    vectors.average_pool_counting,
    vectors.global_max,
    vectors.global_average,
    vectors.padded,
    vectors.joined,
    vectors.joined,
    networks.residual,
    networks.separable,
    networks.branches,
    networks.classifier,
    networks.padded_chain,
    networks.two_outputs,
)
_NARROW: tuple[Theme, ...] = (
    convolutions.zero_pointed,
    vectors.sum_of_two,
    vectors.sum_of_two,
    vectors.product_of_two,
    vectors.rescaled,
    vectors.rectified,
    networks.gated,
)


_OF_WHOLE_SUMS: tuple[Theme, ...] = (
    vectors.product_of_two,
    vectors.rescaled,
    vectors.rectified,
)
"""What 16-bit arrays have if their psums hold whole sums."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run, or several of the same program.

    Attributes
    ----------
    seed, index : what the case follows from, with the sources
    theme : name of the generator
    inputs : for each run, arrays by tensor name
    density, zeros : of the inputs; see `tests.campaigns.fuzz.sparsity`
    weights : density of the filters, None where they stay as drawn, for the link has no codes
    options : of `compile_graph`
    stall_seed : of the link's random stalls, None for none
    """

    seed: int
    index: int
    theme: str
    config: Config
    graph: Graph
    inputs: list[dict[str, NDArray[Any]]]
    density: float = 1.0
    zeros: str = SHAPES[0]
    weights: float | None = None
    options: dict[str, Any] = field(default_factory=dict)
    stall_seed: int | None = None

    @property
    def wrap(self) -> bool:
        """Psums are meant to wrap."""
        return bool(self.options.get("wrap"))


def slice_case(number: int, place: int) -> Case:
    """A case of the slices that tests simulate, on the configuration `NARROW` or `WIDE`.

    All of them have the access counters that the contract compares, so that one simulator of each
    configuration serves every slice.
    """
    case = make_case(SLICE_SEED, number * CASES + place)
    return replace(case, config=case.config.with_values({"control.access_counters": True}))


def make_case(
    seed: int, index: int, *, clusters: bool = False, config: Config | None = None
) -> Case:
    """Case `index` of the campaign `seed`; `clusters`: of that on several clusters.

    With a configuration the case is for that one, and its index below `CASES`.
    """
    number, place = divmod(index, CASES)
    if config is None:
        config = clustered(seed, number) if clusters else configuration(seed, number)
    rng = np.random.default_rng([seed, number, place, 2])
    theme = _theme(seed, number, place, config)
    wrap = _may_wrap(config) and bool(rng.random() < 0.5)
    graph = _graph(
        rng, config, theme, wrap=wrap, zeroed=zeroed(config, (seed, number, place), theme)
    )
    runs = 2 if rng.random() < 0.15 else 1
    sparse = np.random.default_rng([seed, number, place, 4])  # apart: cases keep all else
    density, zeros = float(sparse.choice(DENSITIES)), str(sparse.choice(SHAPES))
    inputs = [random_inputs(rng, graph) for _ in range(runs)]
    weights = float(sparse.choice(WEIGHT_DENSITIES)) if config.link.codes else None
    return Case(
        seed=seed,
        index=index,
        theme=theme.__name__,
        config=config,
        graph=graph if weights is None else _thin_filters(sparse, graph, weights),
        inputs=[_thin_inputs(sparse, graph, arrays, density, zeros) for arrays in inputs],
        density=density,
        zeros=zeros,
        weights=weights,
        options={
            "wrap": wrap,
            "dump": bool(rng.random() < 0.5),
            "profile": bool(rng.random() < 0.3),
            "objective": str(rng.choice(OBJECTIVES)),
        },
        stall_seed=int(rng.integers(1, 1 << 30)) if rng.random() < 0.5 else None,
    )


def network_case(config: Config, theme: Theme, *, profile: bool, stall_seed: int | None) -> Case:
    """A network of half the usual size, the same each time, for a configuration of 8 bits."""
    rng = np.random.default_rng(7)
    builder = GraphBuilder(rng, config, "int8", wrap=False, size=0.5)
    theme(builder)
    graph = builder.graph(theme.__name__)
    return Case(
        seed=1,
        index=0,
        theme=theme.__name__,
        config=config,
        graph=graph,
        inputs=[random_inputs(rng, graph)],
        options={"wrap": False, "dump": False, "profile": profile, "objective": "cycles"},
        stall_seed=stall_seed,
    )


def _may_wrap(config: Config) -> bool:
    return config.array.psum_width < 32 or config.array.data_width == 16


def _theme(seed: int, number: int, place: int, config: Config) -> Theme:
    """The next of the themes in a random order, which goes on from configuration to configuration.

    Configurations that have the same themes are numbered among themselves, so that all themes come
    up equally often for each of them.
    """
    themes = _BOTH + _more_themes(config)
    before = [_more_themes(configuration(seed, n)) for n in range(number)].count(themes[_COMMON:])
    order = np.random.default_rng([seed, config.array.data_width, 3]).permutation(len(themes))
    return themes[order[(before * _STRIDE + place) % len(themes)]]


_COMMON = len(_BOTH)


def _more_themes(config: Config) -> tuple[Theme, ...]:
    if config.array.data_width == 8:
        return _NARROW
    return _OF_WHOLE_SUMS if config.array.psum_width >= WHOLE_SUM_BITS else ()


_STRIDE = 7  # cases that a configuration usually has


def zeroed(config: Config, case: tuple[int, ...], theme: Theme | None = None) -> bool:
    """Whether the 16-bit values of a case have zero points; it and all else stay what they were.

    Such operands of element-wise operators are not the array's.
    """
    takes = config.array.data_width == 16 and config.array.psum_width >= WHOLE_SUM_BITS
    drawn = np.random.default_rng([*case, 6]).random() < _ZEROED
    return takes and theme not in _OF_WHOLE_SUMS and bool(drawn)


def _graph(
    rng: np.random.Generator, config: Config, theme: Theme, *, wrap: bool, zeroed: bool
) -> Graph:
    """A graph of a theme that is not too much work for the configuration's simulation."""
    most = int(np.clip(5000 * config.multipliers, 12_000, 120_000))
    size = 1.0
    for _ in range(_ATTEMPTS):
        dtype = "int16" if config.array.data_width == 16 else str(rng.choice(["int8", "uint8"]))
        builder = GraphBuilder(rng, config, dtype, wrap=wrap, size=size, zeroed=zeroed)
        try:
            theme(builder)
            graph = builder.graph(theme.__name__)
        except RowforgeError:
            continue  # a window that does not fit its image
        if _work(graph) <= most:
            return graph
        size *= _SHRINK
    raise RuntimeError(f"no {theme.__name__} found for {config}")


def _work(graph: Graph) -> int:
    """Multiply-accumulates; groups are counted as if they were none, the worst that may come."""
    return sum(
        node.macs * (node.groups if node.weights.shape[3] > 1 else 1)
        for node in graph.nodes
        if isinstance(node, Conv)
    )


def random_inputs(rng: np.random.Generator, graph: Graph) -> dict[str, NDArray[Any]]:
    """Stored values for every input of a graph, by tensor name."""
    arrays = {}
    for key in graph.inputs:
        tensor = graph.tensors[key]
        arrays[tensor.name] = stored(rng, tensor.shape, tensor.dtype, _zero(tensor))
    return arrays


def _thin_inputs(
    rng: np.random.Generator,
    graph: Graph,
    arrays: dict[str, NDArray[Any]],
    density: float,
    zeros: str,
) -> dict[str, NDArray[Any]]:
    """The inputs with a share of zeros."""
    tensors = {graph.tensors[key].name: graph.tensors[key] for key in graph.inputs}
    return {
        name: thinned(rng, values, _zero(tensors[name]), density, zeros)
        for name, values in arrays.items()
    }


def _thin_filters(rng: np.random.Generator, graph: Graph, density: float) -> Graph:
    """The graph with zeros in its filters: single ones, channels, rows or columns of a filter."""
    nodes = [
        replace(
            node,
            weights=thinned(
                rng,
                node.weights,
                node.weight_zero_point.reshape(-1, 1, 1, 1),
                density,
                str(rng.choice(SHAPES)),
            ),
        )
        if isinstance(node, Conv)
        else node
        for node in graph.nodes
    ]
    return replace(graph, nodes=tuple(nodes))


def _zero(tensor: Tensor) -> int:
    """The stored value of an input that stands for zero, or the one next to it."""
    zero = tensor.quantisation.zero_point[0] if tensor.quantisation else 0
    low, high = INTEGER_RANGES[tensor.dtype]
    return min(max(zero, low), high)
