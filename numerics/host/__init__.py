"""Host steps: operators between accelerator layers, bit for bit as their interpreters compute them.

Importing this package registers every step.
"""

from numerics.host import (
    blocks,
    convolution,
    moves,
    ort,
    ort_functions,
    ort_max_pool,
    ort_moves,
    ort_pool,
    ort_reduce,
    sums,
    tflm,
    tflm_binary,
    tflm_resize,
    tflm_unary,
)
from numerics.host.registry import STEPS, host_step, run_host

__all__ = [
    "STEPS",
    "blocks",
    "convolution",
    "host_step",
    "moves",
    "ort",
    "ort_functions",
    "ort_max_pool",
    "ort_moves",
    "ort_pool",
    "ort_reduce",
    "run_host",
    "sums",
    "tflm",
    "tflm_binary",
    "tflm_resize",
    "tflm_unary",
]
