"""`rowforge boards`, and the presets made for boards."""

import pytest

from boards.catalogue import BOARDS
from rowforge import measured
from rowforge.configs import preset
from tests.rowforge.support import MODEL, rowforge


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
    monkeypatch.setattr("rowforge.commands.boards.measured", lambda name: None)
    outcome = rowforge(capsys, "boards")
    assert outcome.out.count("not measured") == len(BOARDS)
    assert measured.measured("icebreaker", tmp_path) is None


@pytest.mark.parametrize("name", sorted({board.preset for board in BOARDS.values()}))
def test_a_boards_preset_compiles_the_shipped_model(capsys, tmp_path, name):
    outcome = rowforge(
        capsys, "compile", MODEL, "--preset", name, "-o", tmp_path / "digits.rfp", "--json"
    )
    assert outcome.status == 0, outcome
    wanted = [layer for layer in outcome.document["layers"] if layer["macs"]]
    assert all(layer["where"] == "array" for layer in wanted)


@pytest.mark.parametrize("name", sorted({board.preset for board in BOARDS.values()}))
def test_a_preset_fits_the_multipliers_of_its_boards(name):
    config = preset(name)
    for board in BOARDS.values():
        if board.preset == name:
            assert config.multipliers <= board.budget.dsp, board.name
