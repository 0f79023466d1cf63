"""All steps of the campaign, by name."""

from tests.campaigns.ort_arithmetic import (
    averages,
    binary,
    floats,
    functions,
    moves,
    products,
    quantise,
    reduce,
    rows,
    transposed,
)
from tests.campaigns.ort_arithmetic.case import Step

STEPS: dict[str, Step] = {
    **quantise.STEPS,
    **binary.STEPS,
    **floats.STEPS,
    **functions.STEPS,
    **moves.STEPS,
    **products.STEPS,
    **averages.STEPS,
    **reduce.STEPS,
    **rows.STEPS,
    **transposed.STEPS,
}
