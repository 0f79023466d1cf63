"""The golden model: what every layer must yield, written from the mathematics in NumPy."""

from sim.golden.run import initial_states, next_states, run_batch, run_graph

__all__ = ["initial_states", "next_states", "run_batch", "run_graph"]
