"""A layer whose output has many zeros."""

from typing import Any

import numpy as np

from compiler.ir.graph import Graph
from compiler.workloads.layers import LayerShape
from hw.arch.config import Config
from rowforge.running.crop import Workload
from rowforge.running.seeded import Shares, seeded_layer


def relu_layer(
    config: Config, zeros: float = 0.7, *, filters: int = 9
) -> tuple[Graph, np.ndarray[Any, Any]]:
    """(a convolution with ReLU, an input) whose output has that share of zeros.

    By default the last lanes of the output hold no channels.
    """
    shape = LayerShape("sparse", 6, 8, filters, 3, 1, 1)
    return seeded_layer(Workload(config, shape, 1), Shares(0.3, zeros), seed=1)
