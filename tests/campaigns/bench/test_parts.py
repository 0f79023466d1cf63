"""Parts of the acceptance that decide what holds, and configurations of other seeds."""

import pytest

from rowforge.benching import chosen_blocks
from tb.cases.accelerator import accelerator
from tb.cases.case import Demand
from tests.campaigns.bench.benches import ENGINES_ONLY, junit
from tests.campaigns.bench.configs import KINDS, drawn
from tests.campaigns.bench.faults import FAULTS, Fault
from tests.campaigns.bench.generated import NAMED
from tests.campaigns.bench.run import merged

VERILOG = "module a_adder(x);\n y = p + q;\nendmodule\nmodule a_other(x);\n y = p + q;\nendmodule\n"


def test_a_seed_names_its_configurations():
    assert dict(drawn(2)) == dict(drawn(2)) != dict(drawn(3))
    for kind, config in drawn(4):
        assert all(config.value(name) == value for name, value in KINDS[kind].items())
        left_out = set(ENGINES_ONLY) if kind == "microcontroller" else set()
        assert left_out.isdisjoint(chosen_blocks(config, None))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5, 8))
def test_every_configuration_has_cases(seed):
    for _, config in drawn(seed):
        assert len(accelerator(config, Demand())) == 3


def test_a_fault_changes_one_module():
    fault = Fault("", "other", r"\+", "-")
    changed = fault.put_into(VERILOG)
    assert changed.count("+") == changed.count("-") == 1
    assert changed.index("+") < changed.index("-")
    assert Fault("", "absent", r"\+", "-").put_into(VERILOG) is None
    assert Fault("", "other", "absent", "-").put_into(VERILOG) is None
    assert len({fault.module for fault in FAULTS}) == len(FAULTS) >= 6


@pytest.mark.parametrize("totals", ["failures='0' tests='2'", "failures='1' tests='1'"])
def test_totals_that_lie_are_found(tmp_path, totals):
    path = tmp_path / "results.xml"
    cases = "<testcase name='a'/><testcase name='b'><failure/></testcase>"
    suite = f"<testsuite name='s' errors='0' failures='1' tests='2'>{cases}</testsuite>"
    path.write_text(f"<testsuites name='f' errors='0' {totals}>{suite}</testsuites>")
    with pytest.raises(ValueError, match="f counts"):
        junit(path)
    right = "failures='1' tests='2'"
    path.write_text(f"<testsuites name='f' errors='0' {right}>{suite}</testsuites>")
    assert junit(path) == {"tests": 2, "failures": 1, "errors": 0}


def test_a_failure_is_named_only_with_its_coordinate():
    place = "item 0, row 1, column 2, channel 3"
    assert NAMED.search(f"test_layers.WrongLayerError: layer conv (CONV_2D), {place}: 1, not 2")
    assert not NAMED.search("WrongLayerError: layer conv (CONV_2D), word 0: 1, not 2")


def test_parts_of_one_commit_are_gathered():
    lists = {name: [name] for name in ("commands", "bench", "make", "faults", "missed")}
    part = {"commit": "a", "seed": 1, "tools": {}, "conditions": 3, "hold": 2, **lists}
    both = merged(part, part)
    assert both["conditions"] == 6 and both["hold"] == 4 and len(both["bench"]) == 2
    assert merged(part, {**part, "commit": "b"})["conditions"] == 3
