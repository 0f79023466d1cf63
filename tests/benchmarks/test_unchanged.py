"""The comparing functions of `benchmarks.unchanged`: what is equal, and that nothing else is."""

import dataclasses
import random
from enum import Enum

import numpy as np
import pytest

from benchmarks.unchanged.verdict import of_comparison, of_digests, refusals
from benchmarks.unchanged.verilog import Design, compare
from benchmarks.unchanged.worker import Limits, digest, plain, walk
from tests.campaigns.mutants.equivalence import equivalent

TOP = """\
/* Generated */
module rowforge(clk, a, y);
  input clk;
  wire clk;
  input [3:0] a;
  wire [3:0] a;
  output [3:0] y;
  wire [3:0] y;
  wire [3:0] middle;
  PREFIXfirst one (
    .a(a),
    .clk(clk),
    .y(middle)
  );
  PREFIXsecond two (
    .a(middle),
    .clk(clk),
    .y(y)
  );
  PREFIXcore #(
    .SIZE(32'd4)
  ) three (
    .clk(clk)
  );
endmodule
"""
FIRST = """\
(* keep *)
module PREFIXfirst(clk, a, y);
  input clk;
  wire clk;
  input [3:0] a;
  wire [3:0] a;
  output [3:0] y;
  wire [3:0] y;
  reg [3:0] sum = 4'h0;
  PREFIXleaf leaf (
    .a(sum),
    .y(y)
  );
  always @(posedge clk)
    sum <= a + 4'h3;
endmodule
"""
SECOND = FIRST.replace("first", "second").replace("4'h3", "4'h5")
LEAF = """\
module PREFIXleaf(a, y);
  input [3:0] a;
  wire [3:0] a;
  output [3:0] y;
  wire [3:0] y;
  assign y = ~ a;
endmodule
"""
FOREIGN = "// By another.\nmodule PREFIXcore #(parameter SIZE = 1) (input clk);\nendmodule\n"


def design(*texts: str, prefix: str = "rowforge_") -> Design:
    return Design("".join(texts).replace("PREFIX", prefix), "rowforge")


def whole(*, prefix: str = "rowforge_", **changes: tuple[str, str]) -> Design:
    """The design, with changes of the modules that are named."""
    parts = {"top": TOP, "first": FIRST, "second": SECOND, "leaf": LEAF, "foreign": FOREIGN}
    for name, (old, new) in changes.items():
        assert old in parts[name]
        parts[name] = parts[name].replace(old, new)
    return design(*parts.values(), prefix=prefix)


def never(pair):
    raise AssertionError(f"{pair.path} needs no proof")


def test_prefix_and_order_change_nothing():
    old = design(TOP, LEAF, SECOND, FIRST, "`timescale 1 ns / 1 ps\n", FOREIGN, prefix="")
    found = of_comparison(compare(old, whole()), never)
    assert found == {"result": "equal", "modules": 4}


def test_names_of_modules_change_nothing():
    new = {
        "top": ("PREFIXfirst", "PREFIXprimary"),
        "first": ("module PREFIXfirst", "module PREFIXprimary"),
    }
    assert of_comparison(compare(whole(), whole(**new)), never)["result"] == "equal"


def test_a_changed_module_is_found_where_it_stands():
    found = compare(whole(prefix=""), whole(second=("4'h5", "4'h6")))
    assert [(pair.path, pair.reason) for pair in found.unlike] == [("rowforge.two", "")]
    verdict = of_comparison(found, lambda pair: False)
    assert verdict["result"] == "different"
    assert verdict["differs"] == ["rowforge.two: not proved equal"]


def test_a_changed_child_is_found_once_below_all_its_parents():
    found = compare(whole(), whole(leaf=("~ a", "a")))
    assert len(found.unlike) == 1
    assert found.unlike[0].path.endswith(".leaf")


def test_swapped_children_are_no_order():
    swapped = TOP.replace("first", "x").replace("second", "first").replace("x one", "second one")
    found = compare(whole(), design(swapped, FIRST, SECOND, LEAF, FOREIGN))
    assert {pair.path for pair in found.unlike} == {"rowforge.one", "rowforge.two"}


def test_one_module_that_became_two_needs_a_look():
    both = TOP.replace("PREFIXsecond two", "PREFIXfirst two")
    one = design(both, FIRST, LEAF, FOREIGN)
    other = design(TOP, FIRST, SECOND.replace("4'h5", "4'h6"), LEAF, FOREIGN)
    assert compare(one, other).unlike[0].reason != ""


def test_ports_and_instances_must_agree():
    wider = whole(leaf=("input [3:0] a", "input [4:0] a"))
    reasons = [pair.reason for pair in compare(whole(), wider).unlike]
    assert reasons == ["its ports differ"]
    renamed = whole(first=("leaf leaf", "leaf other"))
    assert compare(whole(), renamed).unlike[0].reason == "only one has leaf, other"


@pytest.mark.parametrize(
    "new",
    [
        whole(foreign=("SIZE = 1", "SIZE = 2")),
        whole(top=("32'd4", "32'd5")),
        design(TOP, FIRST, SECOND, LEAF, LEAF.replace("leaf", "stray"), FOREIGN),
    ],
    ids=["foreign text", "parameter", "stray module"],
)
def test_nothing_else_may_differ(new):
    assert of_comparison(compare(whole(), new), lambda pair: False)["result"] == "different"


@pytest.mark.parametrize(("new", "equal"), [("4'h3 + a", True), ("a + 4'h2", False)])
def test_what_differs_in_form_only_is_proved(new, equal):
    (pair,) = compare(whole(prefix=""), whole(first=("a + 4'h3", new))).unlike
    assert equivalent([pair.before], [pair.after], seconds=300) is equal


def test_digests_that_differ_are_named():
    old = {"cycles": 3, "parts": {"words": "a", "steps": "b"}, "layers": {"op": "c", "old": "d"}}
    old["reasons"] = "e"
    assert of_digests(old, old) == {"result": "equal", "cycles": 3, "same_words": True}
    new = {"cycles": 4, "parts": {"words": "x", "steps": "b"}, "layers": {"op": "y", "new": "d"}}
    new["reasons"] = "f"
    found = of_digests(old, new)
    assert found["result"] == "different"
    assert found["differs"] == ["cycles: 3 became 4", "words", "layers: op"]
    assert found["not_compared"] == ["new", "old"]
    assert not found["same_words"]


def test_both_or_none_may_refuse():
    assert refusals({}, {}) is None
    assert refusals({"refused": "a"}, {"refused": "a"}) == {"result": "refused", "same_words": True}
    assert refusals({"refused": "a"}, {"refused": "b"})["result"] == "refused"
    assert refusals({"refused": "a"}, {})["result"] == "different"


def test_plain_forms_say_all():
    @dataclasses.dataclass
    class Item:
        name: str
        words: np.ndarray

    class Kind(Enum):
        ONE = 1

    words = np.arange(6, dtype=np.uint64)
    same = [Item("a", words), {"x": Kind.ONE, "b": (1, None)}]
    assert digest(same) == digest([Item("a", words.copy()), {"b": [1, None], "x": Kind.ONE}])
    others = (words + 1, words.reshape(2, 3), words.astype(np.int64))
    assert len({digest(Item("a", array)) for array in (words, *others)}) == 4
    with pytest.raises(TypeError):
        plain(object())


def test_a_walk_stays_legal_and_moves_all():
    limits = {"a": Limits(choices=(1, 2, 4)), "b": Limits(low=1, high=5000), "c": Limits(high=3)}

    def legal(values):
        return values["a"] <= values["b"] and values["b"] % 8 == 0

    start = {"a": 1, "b": 8, "c": 0, "kept": 9}
    drawn = [walk(start, limits, legal, random.Random(seed)) for seed in range(60)]
    assert all(legal(values) and values["kept"] == 9 for values in drawn)
    assert {values["a"] for values in drawn} == {1, 2, 4}
    assert {values["c"] for values in drawn} == {0, 1, 2, 3}
    assert len({values["b"] for values in drawn}) > 30
    assert drawn == [walk(start, limits, legal, random.Random(seed)) for seed in range(60)]


def test_every_value_of_a_range_is_drawn():
    rng = random.Random(3)
    for limits in (Limits(low=16, high=40), Limits(low=1, high=32), Limits(low=0, high=64)):
        drawn = {limits.draw(rng) for _ in range(6000)}
        assert drawn == set(range(limits.low, limits.high + 1))
