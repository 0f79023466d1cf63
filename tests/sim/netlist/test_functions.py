"""Functions of standard cells as tables."""

import itertools

import pytest

from hw.arch.errors import RowforgeError
from sim.netlist.gates.functions import names_in, truth_table

FUNCTIONS = {
    "!((A1*A2)+(B1*B2)+C1)": lambda A1, A2, B1, B2, C1: not ((A1 and A2) or (B1 and B2) or C1),
    "(!S*A0)+(S*A1)": lambda S, A0, A1: A1 if S else A0,
    "A ^ B & C": lambda A, B, C: (A ^ B) and C,
    "A' B | !C": lambda A, B, C: (not A and B) or not C,
    "!(A)'": lambda A: A,
    "1": lambda: 1,
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_row_of_a_table(function):
    names = names_in(function)
    names = [name for name in names if name not in ("0", "1")]
    table = truth_table(function, names)
    for values in itertools.product((0, 1), repeat=len(names)):
        index = sum(value << place for place, value in enumerate(values))
        wanted = FUNCTIONS[function](**dict(zip(names, values, strict=True)))
        assert table >> index & 1 == bool(wanted), values


@pytest.mark.parametrize("function", ["A +", "(A", "A)", "A % B", "", "C"])
def test_what_is_no_function_is_refused(function):
    with pytest.raises(RowforgeError, match="cannot read the function"):
        truth_table(function, ["A", "B"])


def test_a_cell_of_too_many_inputs_is_refused():
    with pytest.raises(RowforgeError, match="at most 6 inputs, not 7"):
        truth_table("A", list("ABCDEFG"))
