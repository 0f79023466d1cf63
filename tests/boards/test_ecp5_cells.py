"""What stands in for the design's own logic on an ECP5 is that logic: proved, not tried."""

import json
import re
import subprocess

import pytest

from boards.catalogue import board
from boards.common import design
from boards.common.top import DESIGN
from boards.families.ecp5 import Ecp5
from boards.families.ecp5_cells import gated_adder, without_loose_carries
from hw.arch.config import Config
from hw.emit.verilog import emit
from hw.emit.yosys import yosys_command
from hw.pe.adder import GatedAdder
from rowforge.configs import preset

_PROOF = (
    "read_verilog -D NO_INCLUDES +/ecp5/cells_sim.v; read_verilog cells.v design.v; "
    "hierarchy -check; proc; flatten cells_gated_adder; "
    "miter -equiv -make_outputs written cells_gated_adder m; "
    "flatten m; opt m; sat -verify -prove trigger 0 m"
)


def _prove(folder, cells: str, width: int) -> subprocess.CompletedProcess[str]:
    (folder / "cells.v").write_text(cells)
    (folder / "design.v").write_text(emit(GatedAdder(width=width), "written"))
    return subprocess.run(
        [*yosys_command(), "-q", "-p", _PROOF], cwd=folder, capture_output=True, text=True
    )


@pytest.mark.parametrize("width", [16, 23, 24, 40])
def test_the_adder_of_carry_cells_equals_the_design(tmp_path, width):
    done = _prove(
        tmp_path,
        gated_adder(Config.of({"array.psum_width": width, "buffer.width": 64}), "cells"),
        width,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_adder_without_its_gate_is_found_out(tmp_path):
    wrong = gated_adder(Config.of({"array.psum_width": 16}), "cells").replace(
        "16'hC6AC", "16'h66AC"
    )
    assert _prove(tmp_path, wrong, 16).returncode != 0


def test_carries_that_nobody_takes_are_left_open(tmp_path):
    def carry(name: str, into: int, out: int) -> dict:
        return {
            "type": "CCU2C",
            "port_directions": {"CIN": "input", "COUT": "output", "S0": "output"},
            "connections": {"CIN": [into], "COUT": [out], "S0": [name]},
        }

    cells = {"low": carry("a", 1, 2), "high": carry("b", 2, 3), "alone": carry("c", 4, 5)}
    taker = {"type": "LUT4", "port_directions": {"A": "input"}, "connections": {"A": [5]}}
    path = tmp_path / "netlist.json"
    path.write_text(json.dumps({"modules": {"top": {"cells": {**cells, "taker": taker}}}}))
    without_loose_carries(path)
    after = json.loads(path.read_text())["modules"]["top"]["cells"]
    assert {name: cell["connections"].get("COUT") for name, cell in after.items()} == {
        "low": [2],
        "high": ["x"],
        "alone": [5],
        "taker": None,
    }


@pytest.mark.slow
def test_the_modules_that_the_flow_names_are_the_designs():
    """yosys passes over a name that it does not know, and the board would be the worse for it."""
    item = board("orangecrab-25f")
    config = preset(item.preset)
    text = design.sources(item, config).files[design.VERILOG]
    modules = set(re.findall(r"^module (\w+)", text, re.MULTILINE))
    flow = Ecp5().cells(config) + Ecp5().synthesis(item, config, design.TOP)
    named = set(re.findall(rf"\b{DESIGN}_\w+", flow))
    assert named <= modules
    parts = {name.removeprefix(f"{DESIGN}_") for name in named}
    assert parts == {"gated_adder", "pe", "psum_writer", "vector_engine"}
