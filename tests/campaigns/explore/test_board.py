"""What the campaign of a large search keeps: figures of whole stages that missed nothing."""

import json

import pytest

from tests.campaigns.explore import board


@pytest.fixture
def campaign(tmp_path, monkeypatch):
    """Runs two pretended stages, of which the second misses something; returns what was kept."""
    models = tmp_path / "models"
    models.mkdir()
    for number in range(4):
        (models / f"{number}.tflite").touch()
    path = tmp_path / "search.json"
    path.write_text(json.dumps({"report": {"before": 1}}))

    def good(stages):
        stages.figures |= {"good": 2}
        yield True, ""

    def bad(stages):
        stages.figures |= {"bad": 3}
        yield False, "too slow"

    monkeypatch.setattr(board, "PATH", path)
    monkeypatch.setattr(board, "STAGES", {"search": good, "best": bad})

    def run(*options):
        words = ["--models", models, "--folder", tmp_path / "made", "--stages", "search", "best"]
        status = board.main([str(word) for word in (*words, *options)])
        assert status == 1
        return json.loads(path.read_text())["report"]

    return run


def test_a_whole_stage_is_kept_and_one_that_missed_something_is_not(campaign):
    assert campaign() == {"before": 1, "good": 2}


def test_a_rehearsal_changes_nothing(campaign):
    assert campaign("--trials", "40") == {"before": 1}


def test_other_numbers_of_trials_are_refused(campaign, capsys):
    with pytest.raises(SystemExit, match="2"):
        campaign("--trials", "0")
    assert "--trials must be 8 to 500, not 0" in capsys.readouterr().err
