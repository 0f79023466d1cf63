"""What every command has in common: help, versions, refusals."""

import subprocess
import sys

import pytest

from hw.arch.version import version_text
from rowforge import cli
from rowforge.commands import presets
from tests.rowforge.support import rowforge


def test_version(capsys):
    outcome = rowforge(capsys, "--version")
    assert (outcome.status, outcome.out) == (0, f"rowforge {version_text()}\n")


def test_help_offers_the_commands_that_there_are(capsys):
    outcome = rowforge(capsys, "--help")
    assert outcome.status == 0
    for command in cli.COMMANDS:
        assert f"    {command}" in [line[: 4 + len(command)] for line in outcome.out.splitlines()]
        assert rowforge(capsys, command, "--help").status == 0


def test_without_a_command_help_is_shown(capsys):
    outcome = rowforge(capsys)
    assert outcome.status == 2
    assert "commands:" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fly"], ["fly", "presets"]),
        (["run"], ["MODEL"]),
        (["generate", "--preset", "tiny"], ["-o"]),
        (["generate", "-o", "x"], ["--preset", "--config"]),
        (["generate", "--preset", "tiny", "--config", "x.toml", "-o", "x"], ["not allowed"]),
        (["presets", "huge"], ["huge", "tiny"]),
    ],
)
def test_bad_use_is_one_sentence(capsys, arguments, words):
    rowforge(capsys, *arguments).assert_refused(*words)


def test_an_unforeseen_error_is_one_sentence_too(capsys, monkeypatch):
    monkeypatch.setattr(presets, "preset_names", lambda: 1 // 0)
    outcome = rowforge(capsys, "presets")
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    assert "internal error" in outcome.err
    monkeypatch.setenv("ROWFORGE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        rowforge(capsys, "presets")


def test_runs_as_a_module_and_survives_a_closed_pipe():
    command = f"{sys.executable} -m rowforge presets tiny | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert done.stdout.startswith("# ")
    assert done.stderr == ""


# ---- presets ------------------------------------------------------------------------------------


def test_presets_are_listed(capsys):
    outcome = rowforge(capsys, "presets")
    assert outcome.status == 0
    for name in ("eyeriss_v1", "eyeriss_v1_int8", "eyeriss_v1_int8_x2", "tiny"):
        assert f"{name} " in outcome.out


def test_a_preset_is_a_configuration_file(capsys, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(rowforge(capsys, "presets", "tiny").out)
    from_file = rowforge(capsys, "presets", "--json").document["tiny"]
    assert from_file["array"]["rows"] == 4
    outcome = rowforge(capsys, "generate", "--config", path, "--period", "0", "-o", tmp_path / "x")
    outcome.assert_refused("--period")  # the configuration itself was accepted
