"""The tops around the link as Verilog: clean, small, and refused where they cannot work."""

import re

import pytest

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.emit.verilog import generate
from hw.link.uart import bit_time
from hw.top.axi import AxiAccelerator
from hw.top.serial import SerialLoopback
from sim.verilator import lint

SMALL = {"array.rows": 1, "array.cols": 1, "buffer.depth": 32, "post.channels": 16}
CONFIG = Config.of(
    {**SMALL, "control.row_patterns": 2, "control.col_patterns": 2, "link.width": 16}
)


def test_a_board_with_a_serial_line_is_clean(tmp_path):
    generate(SerialLoopback(clock=50e6, baud=3e6), tmp_path, name="serial", version="1.0.0")
    assert lint(tmp_path) == []


@pytest.mark.slow
def test_the_axi_wrapper_is_clean_and_has_the_ports_that_tools_look_for(tmp_path):
    generate(AxiAccelerator(CONFIG), tmp_path, name="axi", version="1.0.0")
    assert lint(tmp_path) == []
    text = (tmp_path / "axi.v").read_text()
    (ports,) = re.findall(r"^module axi\((.*?)\);", text, flags=re.MULTILINE | re.DOTALL)
    names = ports.replace("\n", " ").replace(" ", "").split(",")
    assert {"aclk", "aresetn"} <= set(names)
    assert not {"clk", "rst"} & set(names)
    prefixes = {name.rpartition("_")[0] for name in names} - {""}
    assert prefixes == {"s_axis", "m_axis", "s_axi"}


@pytest.mark.parametrize("clock, baud, parts", [(50e6, 3e6, 267), (48e6, 3e6, 256), (1e8, 9600, 0)])
def test_bit_times(clock, baud, parts):
    found = bit_time(clock, baud)
    assert not parts or found == parts
    assert abs(found / 16 * baud / clock - 1) < 0.002


@pytest.mark.parametrize("baud", [0, 12_500_001, 40])
def test_rates_that_cannot_be_made_are_refused(baud):
    with pytest.raises(RowforgeError, match="baud must be at most 12500000 .* and at least 48"):
        bit_time(50e6, baud)
