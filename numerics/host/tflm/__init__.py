"""Host steps as TensorFlow Lite Micro computes them."""

from numerics.host.tflm import arithmetic, binary, recurrent, resize, unary

__all__ = ["arithmetic", "binary", "recurrent", "resize", "unary"]
