"""The wheel, installed in a fresh environment and used from another folder."""

import os
import subprocess
import sys
import venv
import zipfile

import pytest

from tests.support.packages import ROOT, SHIPPED

pytestmark = pytest.mark.slow


def run(*command, cwd, check=True):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    if check:
        assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the sources so that the tree stays clean."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for package in (*SHIPPED, "tests"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                copy = source / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
    out = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--wheel-dir", out, source, cwd=out)
    (found,) = out.glob("rowforge-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The command of a fresh environment that holds the wheel and its dependencies, no more."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=folder)
    return folder / "bin" / "rowforge"


def test_the_wheel_holds_the_packages_and_their_data_only(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == set(SHIPPED)
    for name in (
        "rowforge/presets/tiny.toml",
        "rowforge/models/digits.tflite",
        "rowforge/models/digits_test.npz",
        "sim/rtl_harness.cpp",
        "hw/arch/commands.py",
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
