# amaranth: UnusedElaboratable=no
"""What a configuration with a processor needs beyond the base installation is asked for first."""

import sys

import pytest

from hw.arch.errors import RowforgeError
from hw.top.accelerator import AcceleratorCore
from hw.top.axi import AxiAccelerator
from hw.top.serial import FramedAccelerator, SerialAccelerator
from tests.hw.microcontroller.cases import CONFIG

TOPS = {
    "accelerator": AcceleratorCore,
    "framed": FramedAccelerator,
    "serial": lambda config: SerialAccelerator(config, clock=12e6, baud=1e6),
    "axi": AxiAccelerator,
}


@pytest.mark.parametrize("name", TOPS)
def test_missing_verilog_is_named_before_anything_is_made(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "pythondata_cpu_picorv32", None)
    with pytest.raises(RowforgeError, match="processor's Verilog is not installed; type pip"):
        TOPS[name](CONFIG)
