"""Host steps as ONNX Runtime computes them."""

from numerics.host.ort import arithmetic, functions, max_pool, moves, pool, reduce

__all__ = ["arithmetic", "functions", "max_pool", "moves", "pool", "reduce"]
