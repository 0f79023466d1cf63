"""Entries of the tables that output stages read: parameters of a channel, and of ADD's operands."""

from hw.arch.fields import Field, Struct

PARAM = Struct(
    "param",
    (
        Field("bias", 32, "added to the accumulator", signed=True),
        Field("multiplier", 32, "fixed-point multiplier, or a float32 scale in rounding mode ORT"),
        Field(
            "addend",
            32,
            "added to the product in rounding mode AFFINE; in SCALE16 the low 8 bits, signed, are "
            "the bias's above its 32; 0 in the others",
        ),
        Field("shift", 7, "left shift, negative: right shift", signed=True),
    ),
    "Requantisation of one channel.",
)

SHIFTS = Struct(
    "shifts",
    tuple(
        Field(f"shift_{i}", 8, f"`shift` of entry {i} after this word", signed=True)
        for i in range(8)
    ),
    "Shifts of the next eight entries of SHORT_PARAMS, or of as many as are left.",
)

SHORT_PARAM = Struct(
    "short_param",
    (
        Field("bias", 32, "added to the accumulator", signed=True),
        Field("multiplier", 32, "fixed-point multiplier, or a float32 scale in rounding mode ORT"),
    ),
    "A `PARAM` whose addend is 0, and whose shift came in a `SHIFTS`.",
)


def short_params_words(count: int) -> int:
    """Payload words of SHORT_PARAMS for so many entries: they come in groups with their shifts."""
    return count * SHORT_PARAM.words + -(-count // len(SHIFTS.fields)) * SHIFTS.words


TABLE = Struct(
    "table",
    (
        Field("left", 32, "addend for a left operand of this stored value", signed=True),
        Field("right", 32, "addend for a right operand of this stored value", signed=True),
    ),
    "Entry of the ADD tables, indexed by the stored 8 bits of the operand.",
)
