"""What a built simulator of a bench is known by."""

from dataclasses import replace
from pathlib import Path

import pytest

import tb.build
from tb.build import Setting, _parts

VERILOG = "module dut(a);\n  input a;\n  reg at_start;\n  initial at_start = 0;\nendmodule\n"


def test_a_simulator_with_coverage_is_never_taken_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor for one with coverage of other Verilog, which is made of the block's."""
    design = tmp_path / "d.v"
    design.write_text(VERILOG)
    plain = Setting(simulator="verilator")
    keys = [_parts(design, setting) for setting in (plain, replace(plain, coverage=True))]
    monkeypatch.setattr(tb.build, "prepared", lambda text: text)
    keys.append(_parts(design, replace(plain, coverage=True)))
    assert keys[0] == _parts(design, plain)
    assert len({tuple(key) for key in keys}) == 3
