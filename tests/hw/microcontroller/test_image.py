"""The ROM image: that it fits, and has only instructions that the processor knows."""

from pathlib import Path

import pytest

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.emit.verilog import generate
from hw.microcontroller import firmware
from hw.top.accelerator import AcceleratorCore
from sim.verilator import lint
from tests.hw.microcontroller.cases import CONFIG

ROM_BYTES = 8448
LARGEST = CONFIG.with_values(
    {"array.rows": 16, "array.cols": 8, "pe.weight_zero_points": True, "link.width": 8}
)

_OPERATIONS = 0x33  # between registers
_OPCODES = {0x03, 0x13, 0x17, 0x23, _OPERATIONS, 0x37, 0x63, 0x67, 0x6F}  # of RV32I, no fences
_MULTIPLICATIONS = 1  # funct7 of those, and of divisions


@pytest.mark.parametrize("config", [CONFIG, LARGEST], ids=["usual", "largest"])
def test_the_rom_holds_it(config: Config) -> None:
    assert len(firmware.build(config)) * 4 <= ROM_BYTES


def test_the_ram_behind_the_buffer_holds_patterns_parameters_tables_and_weights() -> None:
    smaller = firmware.working_bytes(CONFIG)
    assert smaller % 4 == 0
    more = CONFIG.with_values({"buffer.weight_memory": CONFIG.buffer.weight_memory + 800})
    assert firmware.working_bytes(more) == smaller + 800
    more = CONFIG.with_values({"post.channels": CONFIG.post.channels + 10})
    assert firmware.working_bytes(more) == smaller + 160


def test_there_are_no_multiplications_and_divisions() -> None:
    """All code words are instructions of RV32I; constants follow after the last one."""
    words = firmware.build(CONFIG)
    code = []
    for word in words:
        if word & 0x7F not in _OPCODES:
            break
        code.append(word)
    assert len(code) > 1200
    for word in code:
        if word & 0x7F == _OPERATIONS:
            assert word >> 25 != _MULTIPLICATIONS, f"{word:#010x}"


def test_the_last_word_is_padded() -> None:
    assert firmware.rom_words(b"\x01\x02\x03\x04\x05") == (0x04030201, 0x05)


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware, "find_spec", lambda name: None)
    config = CONFIG.with_values({"control.watchdog": 4321})  # not built yet
    with pytest.raises(RowforgeError, match=r"ziglang.*pip install 'rowforge\[processor\]'"):
        firmware.build(config)


@pytest.mark.slow
def test_generated_files_are_clean_to_verilator(tmp_path: Path) -> None:
    """PicoRV32 is a file of its own; of ours nothing is said but what `rowforge.vlt` waives."""
    generate(AcceleratorCore(CONFIG), tmp_path, name="rowforge", version="0")
    sources = (tmp_path / "rowforge.f").read_text().split()
    assert sources == ["rowforge_picorv32.v", "rowforge.v"]
    assert lint(tmp_path) == []
