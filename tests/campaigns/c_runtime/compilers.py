"""The exported folder by another compiler, for processors that a host may have."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sw_driver.c.export import export_program
from sw_driver.c.folder import write_folder
from tests.support.c_runtime.build import WARNINGS
from tests.sw_driver.scripted import make_program

TARGETS = ("riscv32-linux-musl", "thumb-linux-musleabi", "mips-linux-musleabi", "x86_64-linux-musl")
"""The third one stores the most significant byte first."""


@dataclass(frozen=True)
class Compiled:
    """What clang said of the folder; "" if nothing."""

    target: str
    said: str


def compile_for(target: str) -> Compiled:
    """All sources, the example's among them, with the warnings that gcc has in tests."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_folder(export_program(make_program()), folder)
        sources = sorted(path.name for path in folder.glob("*.c"))
        caches = {f"ZIG_{kind}_CACHE_DIR": str(folder / "cache") for kind in ("GLOBAL", "LOCAL")}
        done = subprocess.run(
            [sys.executable, "-m", "ziglang", "cc", "-target", target, *WARNINGS, "-c", *sources],
            cwd=folder,
            env={**os.environ, **caches},
            capture_output=True,
            text=True,
        )
        return Compiled(target, done.stderr.strip() if done.returncode else "")
