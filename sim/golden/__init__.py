"""The golden model: what every layer must yield, written from the mathematics in NumPy."""

from sim.golden.run import run_batch, run_graph

__all__ = ["run_batch", "run_graph"]
