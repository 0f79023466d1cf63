"""PEs in which zeros take no steps: `SkippingPe`."""

from compiler.mapper.resources.dense import DensePe


class SkippingPe(DensePe):
    """`pe.kind` skipping: which activations are zero is not known here, so that none is counted.

    What this gives is a bound: no window takes longer than in a dense PE.
    """
