"""`rowforge boards`, and the presets made for boards."""

import pytest

from boards.catalogue import BOARDS
from rowforge.configs import preset
from rowforge.reports import measured
from tests.rowforge.support import MODEL, rowforge
from tests.support.workloads import workload
from tests.thorough import thorough


def test_every_board_has_a_line(capsys):
    outcome = rowforge(capsys, "boards")
    assert outcome.status == 0
    lines = outcome.out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(BOARDS)


def test_json_names_part_link_and_preset(capsys):
    document = rowforge(capsys, "boards", "--json").document
    assert set(document) == set(BOARDS)
    board = document["orangecrab-25f"]
    assert board["device"] == "LFE5U-25F-8MG285C"
    assert board["link"] == "UART 3 Mbaud"
    assert board["pes"] == 24
    assert "pin 0" in board["wiring"]


def test_a_board_without_a_report_is_not_measured(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("rowforge.commands.board.boards.measured", lambda name: None)
    outcome = rowforge(capsys, "boards")
    assert outcome.out.count("not measured") == len(BOARDS)
    assert measured.measured("icebreaker", tmp_path) is None


@pytest.mark.parametrize("name", sorted({board.preset for board in BOARDS.values()}))
def test_a_boards_preset_compiles_the_shipped_model(capsys, tmp_path, name):
    program = tmp_path / "digits.rfp"
    outcome = rowforge(capsys, "compile", MODEL, "--preset", name, "-o", program)
    assert outcome.status == 0, outcome
    convolutions = [line.split() for line in outcome.out.splitlines() if "CONV_2D" in line]
    assert len(convolutions) == 5
    assert all(words[1] == "array" for words in convolutions)


@pytest.mark.parametrize("name", sorted({board.preset for board in BOARDS.values()}))
def test_a_preset_fits_the_multipliers_of_its_boards(name):
    config = preset(name)
    for board in BOARDS.values():
        if board.preset == name:
            assert config.multipliers <= board.budget.dsp, board.name


BOARD_PRESETS = ["icebreaker", "orangecrab_25f", "tang_nano_20k", "ulx3s_85f"]


@pytest.mark.parametrize("item", [b for b in BOARDS.values() if b.sdram], ids=lambda b: b.name)
def test_a_board_with_an_sdram_has_a_preset_for_it(item):
    config = preset(f"{item.preset}_sdram")
    item.check_memory(config.memory)
    assert config.memory.words == 1 << config.memory.sdram.address_bits
    assert config.multipliers <= item.budget.dsp


@pytest.mark.slow
@pytest.mark.parametrize("name", BOARD_PRESETS)
def test_a_boards_preset_compiles_the_benchmark_models(capsys, tmp_path, name):
    """Each preset two of them, each model for two presets; `make test-thorough` tries all pairs."""
    models = ("ad01_int8", "pretrainedResnet_quant", "kws_ref_model", "vww_96_int8")
    place = BOARD_PRESETS.index(name)
    for model in thorough(models[place % 2 :: 2], models):
        file = workload(f"mlperf_tiny/{model}.tflite")
        outcome = rowforge(capsys, "compile", file, "--preset", name, "-o", tmp_path / "x.rfp")
        assert outcome.status == 0, outcome
