"""Host steps: operators between accelerator layers, bit for bit as their interpreters compute them.

Importing this package registers every step.
"""

from numerics.host import blocks, convolution, moves, ort, sums, tflm
from numerics.registry import STEPS, host_step, run_host

__all__ = [
    "STEPS",
    "blocks",
    "convolution",
    "host_step",
    "moves",
    "ort",
    "run_host",
    "sums",
    "tflm",
]
