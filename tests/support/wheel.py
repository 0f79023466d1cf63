"""The wheel, and environments that hold it."""

import os
import subprocess
import sys
import venv
from pathlib import Path

from tests.support.packages import ROOT, SHIPPED

PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")


def outside() -> dict[str, str]:
    """The environment of a user who has nothing of ours on the path."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COCOTB", "MAKE"))}


def build_wheel(folder: Path) -> Path:
    """Build it in an empty folder, from a copy of the sources so that the tree stays clean."""
    source, out = folder / "source", folder / "wheel"
    source.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for package in (*SHIPPED, "tests"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                copy = source / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
    command = [sys.executable, *PIP, "wheel", "--no-deps", "--wheel-dir", str(out), str(source)]
    subprocess.run(command, cwd=folder, env=outside(), check=True, capture_output=True)
    (found,) = out.glob("rowforge-*.whl")
    return found


def install(wheel: Path, folder: Path, *, extra: str = "") -> Path:
    """An environment with the wheel and what it or an extra needs; returns its programs.

    One that is there already gets the wheel in the place of the one that it has.
    """
    programs = folder / "bin"
    if programs.exists():
        wanted = ["--force-reinstall", "--no-deps", str(wheel)]
    else:
        venv.create(folder)
        wanted = [f"{wheel}[{extra}]" if extra else str(wheel)]
    # This environment's pip: one of the new environment's own would take longer than the wheel.
    into = ("--python", str(programs / "python"))
    command = [sys.executable, *PIP, *into, "install", "--no-compile", *wanted]
    done = subprocess.run(command, env=outside(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return programs
