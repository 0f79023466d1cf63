"""The C runtime compiled for tests: C99 to the letter, warnings as errors, with sanitisers."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import pytest

from sim.verilator import cache_root, lock, place
from sw_driver.c.folder import RUNTIME
from sw_driver.c.header import HEADER, render_records

_HERE = Path(__file__).parent
DAMAGE = (_HERE / "damage" / "mutate.c",)
LATE_TRANSFER = (_HERE / "parts" / "late_transfer.c",)
STUFF = (_HERE / "parts" / "stuff.c",)
WARNINGS = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow",
            "-Wcast-qual", "-Wstrict-prototypes", "-Wmissing-prototypes")  # fmt: skip
_FLAGS = (*WARNINGS, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_LIBRARY = "runtime.a"

Sources = Mapping[str, str]


def compiler() -> str:
    """The C compiler: $CC, else gcc."""
    return os.environ.get("CC", "gcc")


def compiled(
    *programs: Path, changes: Mapping[str, tuple[str, str]] = MappingProxyType({})
) -> Path:
    """An executable of the runtime and these files, from the cache if nothing has changed.

    `changes`: by file of the runtime, a text that stands there once and what replaces it.
    """
    sources = {path.name: path.read_text() for path in sorted(RUNTIME.iterdir())}
    sources[HEADER] = render_records()
    for name, (text, replacement) in changes.items():
        assert sources[name].count(text) == 1, f"{name} must have {text!r} once"
        sources[name] = sources[name].replace(text, replacement)
    library = _cached(sources, _LIBRARY, _make_library)
    headers = {name: text for name, text in sources.items() if name.endswith(".h")}
    own = {path.name: path.read_text() for path in programs}

    def link(folder: Path) -> None:
        _run(folder, compiler(), *_FLAGS, *_c_files(own), str(library), "-o", "run")

    return _cached({**headers, **own, _LIBRARY: str(library)}, "run", link)


@cache
def harness() -> Path:
    """The executable that runs a program for the tests, as `harness.c` says."""
    return compiled(*sorted(path for path in _HERE.iterdir() if path.suffix in (".c", ".h")))


def _make_library(folder: Path) -> None:
    """Objects of all C files there, in an archive."""
    _run(folder, compiler(), *_FLAGS, "-c", *_c_files(path.name for path in folder.iterdir()))
    _run(folder, "ar", "rcs", _LIBRARY, *(path.name for path in sorted(folder.glob("*.o"))))


def _c_files(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.endswith(".c"))


def _cached(sources: Sources, result: str, make: Callable[[Path], None]) -> Path:
    """What `make` leaves as the file `result` in a folder with these sources."""
    digest = hashlib.sha256(repr((sources, _FLAGS, _version())).encode()).hexdigest()
    kept = cache_root() / "c-runtime" / digest / result
    with lock(kept.parent):
        if not kept.exists():
            with tempfile.TemporaryDirectory(prefix="rowforge-") as name:
                for file, text in sources.items():
                    (Path(name) / file).write_text(text)
                make(Path(name))
                place(kept, (Path(name) / result).read_bytes(), mode=0o755)
    return kept


@cache
def _version() -> str:
    said = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=True)
    return said.stdout.splitlines()[0]


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"{command[0]} refuses the C runtime: {done.stderr[:2000]}")
