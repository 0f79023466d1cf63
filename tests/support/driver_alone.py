"""The driver in a process that has nothing else: no compiler, no simulator, no gateware.

A folder gets copies of `sw_driver`, `numerics` and `hw/arch`, with an empty `hw` around the latter,
and a link to NumPy. An interpreter without site packages and without this tree runs the driver's
command there.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
ABSENT = ("compiler", "rowforge", "sim", "boards", "tb", "tests", "hw.top", "amaranth", "onnx",
          "tflite", "flatbuffers")  # fmt: skip

_CODE = """
import importlib.util, runpy, sys
folder, absent, *arguments = sys.argv[1:]
sys.path.append(folder)
def found(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
there = [name for name in absent.split(",") if found(name)]
if there:
    sys.exit(f"not alone: {there}")
sys.argv = ["sw_driver", *arguments]
"""
_COMMAND = "runpy.run_module('sw_driver', run_name='__main__')"


@dataclass(frozen=True)
class Done:
    """How the driver's command ended, what it said on standard error, and what it printed."""

    status: int
    said: str
    printed: str


class DriverAlone:
    """The folder with the driver, and its command."""

    def __init__(self, folder: Path):
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        for name in ("sw_driver", "numerics", "hw/arch"):
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        (folder / "hw" / "__init__.py").touch()
        package = Path(np.__file__).parent
        for path in (package, package.with_name("numpy.libs")):
            if path.exists():
                (folder / path.name).symlink_to(path, target_is_directory=True)

    def run(self, *arguments: object, absent: tuple[str, ...] = ABSENT) -> Done:
        """`python -m sw_driver` with these arguments; fails first if a name of `absent` exists."""
        return self._python(_COMMAND, absent, arguments)

    def evaluate(self, expression: str) -> str:
        """The value of an expression in which `sw_driver.runtime` is imported, as `repr` has it."""
        done = self._python(f"import sw_driver.runtime; print(repr({expression}))", ABSENT, ())
        assert not done.status, done.said
        return done.printed

    def _python(self, code: str, absent: tuple[str, ...], arguments: tuple[object, ...]) -> Done:
        command = [sys.executable, "-I", "-S", "-c", _CODE + code, str(self.folder)]
        done = subprocess.run(
            [*command, ",".join(absent), *map(str, arguments)],
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
        )
        return Done(done.returncode, done.stderr.strip(), done.stdout.strip())
