"""What is read of nextpnr's reports."""

import json

import pytest

from boards.common.nextpnr import Hop, design_name, read_report, sentence
from boards.families.ecp5 import Ecp5
from boards.families.gowin import Gowin
from boards.families.ice40 import Ice40
from hw.arch.errors import RowforgeError

PE = "design.device.accelerator.core.engine.array.pe_0_0"


def end(cell, port):
    return {"cell": cell, "loc": [1, 2], "port": port}


def path(clock):
    """A path from a register over one LUT to another register."""
    first, lut, last = (
        f"{PE}.walk.tap_TRELLIS_FF_Q",
        f"{PE}.issue_LUT4_Z",
        f"{PE}.word_TRELLIS_FF_Q",
    )
    hops = [
        {"type": "clk-to-q", "delay": 0.5, "from": end(first, "CLK"), "to": end(first, "Q")},
        {
            "type": "routing",
            "delay": 1.25,
            "from": end(first, "Q"),
            "to": end(lut, "A"),
            "net": f"{PE}.walk.tap",
        },
        {"type": "logic", "delay": 0.25, "from": end(lut, "A"), "to": end(lut, "Z")},
        {
            "type": "routing",
            "delay": 2.0,
            "from": end(lut, "Z"),
            "to": end(last, "DI"),
            "net": f"{PE}.issue",
        },
        {"type": "setup", "delay": 0.0, "from": end(last, "DI"), "to": end(last, "CLK")},
    ]
    return {"from": f"posedge {clock}", "to": f"posedge {clock}", "path": hops}


def report(tmp_path, **fmax):
    document = {
        "utilization": {
            "TRELLIS_COMB": {"used": 20000, "available": 24288},
            "TRELLIS_FF": {"used": 9000, "available": 24288},
            "MULT18X18D": {"used": 28, "available": 28},
            "DP16KD": {"used": 51, "available": 56},
        },
        "fmax": {
            name: {"achieved": achieved, "constraint": constraint}
            for name, (achieved, constraint) in fmax.items()
        },
        "critical_paths": [path("input"), path("sync")],
    }
    file = tmp_path / "report.json"
    file.write_text(json.dumps(document))
    return read_report(file, 50e6)


def test_the_designs_clock_is_the_one_with_its_constraint(tmp_path):
    outcome = report(tmp_path, input=(200.0, 25.0), sync=(61.5, 50.0))
    assert outcome.fmax == pytest.approx(61.5e6)
    assert outcome.met
    assert outcome.used["TRELLIS_COMB"] == 20000
    assert outcome.available["DP16KD"] == 56


@pytest.mark.parametrize("slow", ["sync", "input"])
def test_every_clock_must_be_met(tmp_path, slow):
    clocks = {"input": (200.0, 25.0), "sync": (61.5, 50.0)}
    clocks[slow] = (20.0, clocks[slow][1])
    assert not report(tmp_path, **clocks).met


def test_a_path_is_told_in_the_designs_names(tmp_path):
    outcome = report(tmp_path, sync=(40.0, 50.0))
    assert outcome.path == [
        Hop("clk-to-q", "array.pe_0_0.walk.tap", 1.75),
        Hop("logic", "array.pe_0_0.issue", 2.25),
        Hop("setup", "array.pe_0_0.word", 0.0),
    ]
    assert sentence(outcome.path) == (
        "4.0 ns from array.pe_0_0.walk.tap to array.pe_0_0.word by array.pe_0_0.issue"
    )
    assert sentence([]) == "nextpnr names no critical path"


def test_names_lose_what_yosys_appended():
    assert design_name(f"{PE}.walk.tap_LUT4_Z_1_D_CCU2C_S0") == "array.pe_0_0.walk.tap"
    assert design_name("uart_0__tx__io") == "uart_0__tx__io"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"fmax": {}}'])
def test_a_damaged_report_is_refused(tmp_path, text):
    file = tmp_path / "report.json"
    file.write_text(text)
    with pytest.raises(RowforgeError, match="report"):
        read_report(file, 50e6)


def test_a_missing_report_is_refused(tmp_path):
    with pytest.raises(RowforgeError, match="no report"):
        read_report(tmp_path / "none.json", 50e6)


def test_cells_become_resources():
    ecp5 = Ecp5().resources({"TRELLIS_COMB": 7, "TRELLIS_FF": 5, "DP16KD": 3}, {})
    assert (ecp5.lut, ecp5.ff, ecp5.dsp, ecp5.block_ram) == (7, 5, 0, 3)
    ice40 = Ice40().resources(
        {"ICESTORM_LC": 9, "ICESTORM_DSP": 2, "ICESTORM_RAM": 4}, {"SB_DFFESR": 3, "SB_DFF": 1}
    )
    assert (ice40.lut, ice40.ff, ice40.dsp, ice40.block_ram) == (9, 4, 2, 4)
    gowin = Gowin().resources({"LUT4": 5, "ALU": 3, "RAM16SDP4": 2, "DFF": 6, "BSRAM": 1}, {})
    assert (gowin.lut, gowin.ff, gowin.dsp, gowin.block_ram) == (16, 6, 0, 1)
