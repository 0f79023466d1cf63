"""All steps of the campaign, by name."""

from tests.ort_arithmetic import binary
from tests.ort_arithmetic.case import Step

STEPS: dict[str, Step] = {**binary.STEPS}
