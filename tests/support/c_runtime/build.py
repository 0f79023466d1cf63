"""The C runtime compiled for tests: C99 to the letter, warnings as errors, with sanitisers."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import pytest

from sim.verilator import cache_root, lock, place
from sw_driver.c.folder import RUNTIME
from sw_driver.c.header import HEADER, render_records

_HERE = Path(__file__).parent
DAMAGE = (_HERE / "damage" / "mutate.c",)
WARNINGS = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow",
            "-Wcast-qual", "-Wstrict-prototypes", "-Wmissing-prototypes")  # fmt: skip
_FLAGS = (*WARNINGS, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def compiler() -> str:
    """The C compiler: $CC, else gcc."""
    return os.environ.get("CC", "gcc")


def compiled(
    *programs: Path, changes: Mapping[str, tuple[str, str]] = MappingProxyType({})
) -> Path:
    """An executable of the runtime and these files, from the cache if nothing has changed.

    `changes`: by file of the runtime, a text that stands there once and what replaces it.
    """
    files = [*sorted(RUNTIME.iterdir()), *programs]
    sources = {path.name: path.read_text() for path in files} | {HEADER: render_records()}
    for name, (text, replacement) in changes.items():
        assert sources[name].count(text) == 1, f"{name} must have {text!r} once"
        sources[name] = sources[name].replace(text, replacement)
    said = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=True)
    version = said.stdout.splitlines()[0]
    digest = hashlib.sha256(repr((sources, _FLAGS, version)).encode()).hexdigest()
    executable = cache_root() / "c-runtime" / digest / "run"
    with lock(executable.parent):
        if not executable.exists():
            place(executable, _compile(sources), mode=0o755)
    return executable


@cache
def harness() -> Path:
    """The executable that runs a program for the tests, as `harness.c` says."""
    return compiled(*sorted(path for path in _HERE.iterdir() if path.suffix in (".c", ".h")))


def _compile(sources: dict[str, str]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="rowforge-") as folder:
        for name, text in sources.items():
            (Path(folder) / name).write_text(text)
        names = [name for name in sources if name.endswith(".c")]
        done = subprocess.run(
            [compiler(), *_FLAGS, *names, "-o", "run"], cwd=folder, capture_output=True, text=True
        )
        if done.returncode:
            pytest.fail(f"{compiler()} refuses the C runtime: {done.stderr[:2000]}")
        return (Path(folder) / "run").read_bytes()
