"""The wheel, installed in a fresh environment and used from another folder."""

import subprocess
import zipfile

import pytest

from tests.support.packages import ROOT, SHIPPED
from tests.support.wheel import build_wheel, install, outside

pytestmark = pytest.mark.slow


def run(*command, cwd, check=True):
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=outside(), capture_output=True, text=True
    )
    if check:
        assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The command of a fresh environment that holds the wheel and its dependencies, no more."""
    return install(wheel, tmp_path_factory.mktemp("environment") / "venv") / "rowforge"


def test_the_wheel_holds_the_packages_and_their_data_only(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == set(SHIPPED)
    for name in (
        "rowforge/presets/tiny.toml",
        "rowforge/models/digits.tflite",
        "rowforge/models/digits_test.npz",
        "rowforge/page/page.html",
        "rowforge/page/page.css",
        "rowforge/page/page.js",
        "rowforge/covering/waivers.txt",
        "sim/rtl_harness.cpp",
        "sim/coverage/coverage_harness.cpp",
        "sim/outside/sdram_chip.v",
        "hw/arch/commands.py",
        "hw/arch/energy/technologies/normalised.toml",
        "sw_driver/c/runtime/rowforge.h",
        "sw_driver/c/runtime/run.c",
        "sw_driver/c/example/main.c",
        "tb/README.md",
        "tb/standalone/Makefile",
    ):
        assert name in names
    assert any(name.endswith("licenses/NOTICE") for name in names)
    sources = {
        path.relative_to(ROOT).as_posix()
        for package in SHIPPED
        for path in (ROOT / package).rglob("*.py")
    }
    assert sources <= set(names)


def test_the_command_works_from_another_folder(installed, tmp_path):
    assert run(installed, "--version", cwd=tmp_path).stdout.startswith("rowforge ")
    assert "tiny" in run(installed, "presets", cwd=tmp_path).stdout
    run(installed, "doctor", cwd=tmp_path)
    run(installed, "generate", "--preset", "tiny", "-o", "out", cwd=tmp_path)
    assert (tmp_path / "out" / "rowforge.v").is_file()
    assert (tmp_path / "out" / "tb" / "Makefile").is_file()
    refused = run(installed, "bench", "--preset", "tiny", cwd=tmp_path, check=False)
    assert refused.returncode == 2
    assert "pip install 'rowforge[bench]'" in refused.stderr


def test_the_demo_works_from_another_folder(installed, tmp_path):
    done = run(installed, "demo", cwd=tmp_path)
    assert "20 of 20 equal on the RTL in every layer" in done.stdout
    assert (tmp_path / "rowforge-demo" / "digits.svg").is_file()
    assert run(installed, "run", "none.tflite", cwd=tmp_path, check=False).returncode == 2
