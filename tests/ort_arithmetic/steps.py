"""All steps of the campaign, by name."""

from tests.ort_arithmetic import binary, quantise
from tests.ort_arithmetic.case import Step

STEPS: dict[str, Step] = {**quantise.STEPS, **binary.STEPS}
