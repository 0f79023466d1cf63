"""Layers on narrow presets, and what their mappings take by the exact cycle model."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any
from unittest.mock import patch

import numpy as np

import compiler.operators.convolve as convolve
from compiler.cache.plans import kept_flat_plans, kept_search
from compiler.compile import timing_program
from compiler.ir.ops import Conv
from compiler.mapper.space import ConvShape
from compiler.options import CompileOptions
from compiler.workloads.layers import LayerShape, layer_graph
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from rowforge.configs import preset
from sim.cycles import predict
from tests.campaigns.mapper.plans import Choice, cheapest

PRESETS = ("orangecrab_25f", "ulx3s_85f")
OPTIONS = CompileOptions(profile=True, wrap=True)


@dataclass(frozen=True)
class Weighed:
    """A layer: exact cycles of the mapping that was chosen, and of the best of the cheapest."""

    name: str
    chosen: int
    best: int
    candidates: int

    @property
    def loss(self) -> float:
        """Share of the best one's cycles that the chosen one takes more."""
        return max(self.chosen / self.best - 1, 0)


def random_layer(rng: np.random.Generator) -> LayerShape:
    """A layer as small networks have them."""
    kind = rng.choice(("plain", "pointwise", "depthwise", "strided"), p=(0.3, 0.3, 0.25, 0.15))
    size = int(rng.choice((4, 6, 8, 12, 16, 24)))
    inputs = int(rng.choice((3, 8, 16, 24, 32, 64, 96)))
    filters = int(rng.choice((8, 16, 24, 32, 64)))
    if kind == "pointwise":
        return LayerShape("pointwise", size, inputs, filters, 1)
    if kind == "depthwise":
        stride = int(rng.integers(1, 3))
        return LayerShape("depthwise", size, inputs, inputs, 3, stride, 1, groups=inputs)
    if kind == "strided":
        return LayerShape("strided", size, min(inputs, 32), filters, 3, 2, 1)
    return LayerShape("plain", min(size, 12), min(inputs, 32), min(filters, 32), 3, 1, 1)


def weigh(name: str, layer: LayerShape, count: int) -> Weighed | None:
    """None if the layer is refused, or does not lie in the buffer as one tile."""
    config = preset(name)
    asked: dict[ConvShape, int] = {}

    def noted(function: Any) -> Any:
        def call(config: Config, shape: ConvShape, psum_beats: int, *rest: Any, **more: Any) -> Any:
            asked[shape] = psum_beats
            return function(config, shape, psum_beats, *rest, **more)

        return call

    try:
        usual = _compiled(layer, config, noted(kept_search), noted(kept_flat_plans))
    except RowforgeError:
        return None
    (report,) = usual.layers
    parts = report.mapping["parts"]
    (node,) = layer_graph(layer.name, [layer], data_width=config.array.data_width).nodes
    assert isinstance(node, Conv)
    shape, nests = convolve.ConvOperation(config, node, True, "cycles").nest_shape(
        (1, *node.output_image)
    )
    pixels = {part["pixel"]: part["shape"]["E"] * part["shape"]["F"] for part in parts}
    if nests != 1 or shape not in asked or sum(pixels.values()) != shape.E * shape.F:
        return None
    flat = (shape.R, shape.S, *shape.stride) == (1, 1, 1, 1)
    choices = cheapest(config, shape, asked[shape], count, flat=flat)
    weighed = [_exact(layer, config, shape, choice) for choice in choices]
    exact = [cycles for cycles in weighed if cycles is not None]
    chosen = predict(usual, dry=True).cycles
    text = f"{name} {layer.name} {layer.H}x{layer.C} to {layer.M}"
    return Weighed(text, chosen, min([chosen, *exact]), len(exact))


def _exact(layer: LayerShape, config: Config, shape: ConvShape, choice: Choice) -> int | None:
    """Cycles of the choice; None if with it the layer is scheduled in another way altogether."""

    def searched(config: Config, asked: ConvShape, *rest: Any, **more: Any) -> Any:
        return choice[0][0] if asked == shape else kept_search(config, asked, *rest, **more)

    def flat(config: Config, asked: ConvShape, *rest: Any) -> Any:
        return list(choice) if asked == shape else kept_flat_plans(config, asked, *rest)

    program = _compiled(layer, config, searched, flat)
    wanted = [asdict(block.mapping) for plan, _ in choice for block in plan.blocks]
    parts = program.layers[0].mapping["parts"]
    if any(part["block"]["mapping"] not in wanted for part in parts):
        return None
    return predict(program, dry=True).cycles


def _compiled(layer: LayerShape, config: Config, searched: Any, flat: Any) -> Program:
    graph = layer_graph(layer.name, [layer], data_width=config.array.data_width)
    with ExitStack() as stack:
        stack.enter_context(patch.object(convolve, "kept_search", searched))
        stack.enter_context(patch.object(convolve, "kept_flat_plans", flat))
        return timing_program(graph, config, OPTIONS)


def worst(results: Sequence[Weighed]) -> float:
    """The largest loss."""
    return max((result.loss for result in results), default=0.0)
