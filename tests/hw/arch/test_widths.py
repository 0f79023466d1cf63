"""The widths of all fields of the command set: a contract with every program ever written."""

import pytest

from hw.arch import commands, counters, entries, patterns
from hw.arch.fields import Struct

STRUCTS = {
    value.name: value
    for module in (commands, entries, patterns, counters)
    for value in vars(module).values()
    if isinstance(value, Struct)
}
# Negative: a signed field. What differs needs a new version of the command set.
WIDTHS = {
    "header": [5, 1, 2, 1, 16, 23, 16],
    "result": [8, 8, 16, 24],
    "begin": [16, 64],
    "index": [24, 24],
    "region": [20, 16, 16, 11, 1, 20, 20, 21, 1, 2],
    "row": [1, 1, 1, 1, 6, 6, 10],
    "slot": [20, 4, -12, 10, 8, 8, 8, 8, 20, 20],
    "segment": [6, 1, 1, 20, 13, 20],
    "pattern": [8, 6, 6, 6, 6, 20, 6, 6],
    "column": [1, 6, 10, 13, 20],
    "columns": [8, 6, 6, 20, 20],
    "param": [-32, 32, 32, -7],
    "shifts": [-8, -8, -8, -8, -8, -8, -8, -8],
    "short_param": [-32, 32],
    "table": [-32, -32],
    "conv_constants": [
        8,
        8,
        8,
        8,
        8,
        1,
        1,
        5,
        -9,
        1,
        16,
        12,
        16,
        16,
        16,
        8,
        16,
        16,
        20,
        -16,
        1,
        8,
        9,
        10,
        20,
        8,
        12,
        3,
        16,
        -10,
        -17,
        -17,
        20,
        1,
        1,
        6,
        6,
        1,
        1,
        1,
        1,
        1,
        20,
        20,
        1,
    ],
    "bases": [20, -16, -16, 20, 20, 13, 8, 8, 24],
    "loop": [20, -16, -16, 20, 20, 13, 8, 8, 24, 16],
    "conv_start": [20, -16, -16, 20, 20, 13, 8, 8, 24, 3, 1, 23],
    "vector": [
        4,
        1,
        12,
        16,
        16,
        12,
        12,
        12,
        12,
        -16,
        -16,
        16,
        16,
        20,
        20,
        20,
        20,
        20,
        20,
        -16,
        -16,
        20,
        20,
        1,
        1,
        3,
        16,
        -10,
        -17,
        -17,
        20,
    ],
    "code": [16, 11, 5],
    "counters": [64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64],
}


def test_every_record_is_listed():
    assert set(STRUCTS) == set(WIDTHS)


@pytest.mark.parametrize("name", WIDTHS)
def test_fields_are_as_wide_as_programs_expect(name):
    widths = [-item.width if item.signed else item.width for item in STRUCTS[name].fields]
    assert widths == WIDTHS[name]
