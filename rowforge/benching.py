"""Runs the cocotb benches on a configuration and gathers what they found."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from sim.verilator import check_fst

if TYPE_CHECKING:
    from rowforge.covering.merged import MergedCoverage
    from tb.cases.case import Case, Demand

BLOCKS = ("pe", "noc", "glb", "post", "control", "accelerator", "link")
SIMULATORS = ("icarus", "verilator")
MOST_STALLS = 0.9

_ENGINES_ONLY = ("glb", "post", "control")  # a processor does their work
_PACKAGES = ("cocotb", "cocotbext.axi", "cocotbext.uart")
_PROCESSORS_PACKAGES = ("pythondata_cpu_picorv32", "ziglang")
_WITH_PROCESSOR = ("accelerator", "link")  # the blocks that hold the whole of the hardware
_OF_COCOTB = ("WAVES", "GUI", "COCOTB_TEST_FILTER", "COCOTB_TESTCASE", "COCOTB_TEST_MODULES")
RESULTS = "results.xml"


@dataclass(frozen=True)
class BenchOutcome:
    """One run of one case.

    Attributes
    ----------
    block, case : str
        What ran.
    seed : int
        Of this run.
    results : path or None
        Of its tests as JUnit XML, None if the simulation left none.
    log : path
        What was said.
    failure : str
        The first failure in a line, "" if all is well.
    seconds : float
        Building the simulator included.
    """

    block: str
    case: str
    seed: int
    results: Path | None
    log: Path
    failure: str
    seconds: float

    @property
    def tests(self) -> int:
        """Tests of the case."""
        return len(self._cases())

    @property
    def simulated_ns(self) -> float:
        """Simulated time of all its tests."""
        found = (
            case.find("properties/property[@name='sim_time_duration']") for case in self._cases()
        )
        return sum(float(item.get("value", 0)) for item in found if item is not None)

    def suite(self) -> ElementTree.Element:
        """The run as a JUnit test suite."""
        cases = self._cases() or [ElementTree.Element("testcase", name=self.case)]
        name = f"{self.block}.{self.case}"
        suite = ElementTree.Element("testsuite", name=name, tests=str(len(cases)))
        properties = ElementTree.SubElement(suite, "properties")
        ElementTree.SubElement(properties, "property", name="seed", value=str(self.seed))
        wrong = [case for case in cases if case.find("failure") is not None]
        if self.failure and not wrong:
            ElementTree.SubElement(cases[0], "error", message=self.failure)
        suite.set("failures", str(len(wrong)))
        suite.set("errors", str(int(bool(self.failure and not wrong))))
        suite.set("time", f"{self.seconds:.3f}")
        suite.extend(cases)
        return suite

    def _cases(self) -> list[ElementTree.Element]:
        if self.results is None or not self.results.exists():
            return []
        return list(ElementTree.parse(self.results).iter("testcase"))


def check_tools(config: Config, blocks: tuple[str, ...], simulator: str, waves: str = "") -> None:
    """Refuse to begin without a package or program; `RowforgeError` names how to get it."""
    needed: tuple[str, ...] = _PACKAGES
    if config.control.microcontroller and not set(blocks).isdisjoint(_WITH_PROCESSOR):
        needed += _PROCESSORS_PACKAGES
    absent = [name for name in needed if not _importable(name)]
    if absent:
        raise RowforgeError(
            f"benches need the Python package {absent[0].replace('.', '-').replace('_', '-')}: "
            "pip install 'rowforge[bench]'"
        )
    from tb.runners import missing

    if sentence := missing(simulator):
        raise RowforgeError(sentence)
    if waves == "fst" and simulator == "verilator":
        check_fst()


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # of the package above it
        return False


def chosen_blocks(config: Config, block: str | None) -> tuple[str, ...]:
    """The blocks to run: the one asked for, or all that the configuration has."""
    there = tuple(
        name for name in BLOCKS if not (config.control.microcontroller and name in _ENGINES_ONLY)
    )
    if block is None:
        return there
    if block not in there:
        raise RowforgeError(
            f"block {block} is not in a configuration with a microcontroller, whose firmware does "
            f"its work; its blocks are {', '.join(there)}"
        )
    return (block,)


def run_benches(
    config: Config,
    folder: Path,
    *,
    blocks: tuple[str, ...],
    simulator: str = "icarus",
    waves: str = "",
    seed: int = 1,
    stalls: float | None = None,
    runs: int = 1,
    coverage: MergedCoverage | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[BenchOutcome]:
    """Run the cases of some blocks, each as often as asked with the next seed.

    Logs, results and waves go into `folder`; at the end `results.xml` holds all results.
    `coverage` takes what Verilator counts.
    """
    from tb.cases.case import Demand

    for name in _OF_COCOTB:  # meant for benches of the user's own
        os.environ.pop(name, None)
    outcomes = []
    for number in range(runs):
        demand = Demand(seed=seed + number, stalls=stalls)
        for block in blocks:
            for case in _cases(block, config, demand):
                progress(f"{block} {case.name}, seed {seed + number}")
                outcome = _run(block, case, seed + number, folder, simulator, waves, coverage)
                outcomes.append(outcome)
                yield outcome
    _write_results(outcomes, folder / RESULTS)


def _cases(block: str, config: Config, demand: Demand) -> list[Case]:
    from tb.cases import accelerator, blocks, link

    makers = {"accelerator": accelerator.accelerator, "link": link.link}
    maker = makers.get(block) or getattr(blocks, block)
    cases: list[Case] = maker(config, demand)
    return cases


def _run(
    block: str,
    case: Case,
    seed: int,
    folder: Path,
    simulator: str,
    waves: str,
    coverage: MergedCoverage | None,
) -> BenchOutcome:
    from tb.build import BenchFailedError, Setting, covered_design

    label = f"{block}-{case.name}-{seed}"
    setting = Setting(
        simulator=simulator,
        waves=waves,
        folder=folder.resolve(),
        label=label,
        coverage=coverage is not None,
    )
    results: Path | None = folder / f"{label}.xml"
    log = folder / f"{label}.log"
    failure = ""
    started = time.monotonic()
    try:
        case.run(setting)
    except BenchFailedError as error:
        results, log = (results if results and results.exists() else None), error.log
        failure = _first_failure(results) or str(error).splitlines()[0]
    counted = folder / f"{label}.dat"
    if coverage is not None and counted.exists():
        coverage.add_file(counted, covered_design(case.block))
        counted.unlink()  # many megabytes
    return BenchOutcome(block, case.name, seed, results, log, failure, time.monotonic() - started)


def _first_failure(results: Path | None) -> str:
    """Name and message of the first test that failed."""
    if results is None:
        return ""
    for case in ElementTree.parse(results).iter("testcase"):
        found = case.find("failure")
        if found is not None:
            said = found.get("message") or found.get("error_msg") or (found.text or "").strip()
            return f"{case.get('name')}: {' '.join(said.split())}"
    return ""


def _write_results(outcomes: list[BenchOutcome], path: Path) -> None:
    suites = ElementTree.Element("testsuites", name="rowforge bench")
    suites.extend(outcome.suite() for outcome in outcomes)
    for count in ("tests", "failures", "errors"):
        suites.set(count, str(sum(int(suite.get(count, 0)) for suite in suites)))
    ElementTree.indent(suites)
    ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)
