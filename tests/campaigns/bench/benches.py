"""`rowforge bench` from the wheel: all blocks, all options, what it refuses, what it writes."""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rowforge.benching import BLOCKS
from tests.campaigns.bench.installation import Installation, Said
from tests.support.missed import Condition

MOST_SECONDS = 600
"""That all blocks of a configuration may take on two cores: passed, or else of processor time."""
ENGINES_ONLY = ("glb", "post", "control")
_OPTIONS = ("--block", "glb")  # a short one that has both networks' kinds of streams


def rows(said: Said) -> list[list[str]]:
    """The table's rows: block, case, seed, tests, cycles, seconds, result."""
    found = [line.split() for line in said.out.splitlines()]
    return [row for row in found if len(row) >= 7 and row[0] in BLOCKS]


def counted(path: Path) -> dict[str, int]:
    """Tests, failures and errors of the cases in JUnit XML."""
    cases = list(ElementTree.parse(path).iter("testcase"))
    return _counts(cases)


def _counts(cases: list[ElementTree.Element]) -> dict[str, int]:
    kinds = {"failures": "failure", "errors": "error"}
    return {"tests": len(cases)} | {
        name: sum(case.find(kind) is not None for case in cases) for name, kind in kinds.items()
    }


def junit(path: Path) -> dict[str, int]:
    """`counted`, after a look at the totals of file and suites: `ValueError` if they differ."""
    root = ElementTree.parse(path).getroot()
    for element in (root, *root.iter("testsuite")):
        here = _counts(list(element.iter("testcase")))
        if any(element.get(name) != str(here[name]) for name in here):
            raise ValueError(f"{element.get('name')} counts {element.attrib}, not {here}")
    return counted(path)


def whole(
    ours: Installation, name: str, config: Path, simulator: str
) -> tuple[dict[str, Any], list[Condition]]:
    """All blocks of a configuration on a simulator: figures, and what must hold."""
    out = ours.work / f"bench_{name}_{simulator}"
    said = ours.rowforge("bench", "--config", config, "--sim", simulator, "-o", out)
    label = f"{name} on {simulator}"
    if said.status:
        return {}, [(False, f"{label}: status {said.status}: {said.sentence} {said.out[-1500:]}")]
    table = rows(said)
    counts = junit(out / "results.xml")
    tests = sum(int(row[3]) for row in table)
    blocks = {row[0] for row in table}
    left_out = set(ENGINES_ONLY) if name == "microcontroller" else set()
    took = min(said.seconds, said.cpu)
    conditions = [
        (not said.err.strip(), f"{label}: it says {said.err.strip()}"),
        (blocks == set(BLOCKS) - left_out, f"{label}: blocks {sorted(blocks)}"),
        (counts == {"tests": tests, "failures": 0, "errors": 0}, f"{label}: {counts}, not {tests}"),
        (took <= MOST_SECONDS, f"{label}: {took:.0f} s"),
    ]
    figures = {
        "seconds": round(said.seconds, 1),
        "cpu_seconds": round(said.cpu, 1),
        "cycles": sum(int(row[4].replace(",", "")) for row in table),
        **counts,
        "slowest_case": max(table, key=lambda row: float(row[5]))[1],
    }
    return figures, conditions


def options(ours: Installation, config: Path) -> Iterator[Condition]:
    """Each block by itself; seeds, stalls and runs."""
    for block in BLOCKS:
        said = ours.rowforge("bench", "--config", config, "--block", block, "-o", f"only_{block}")
        found = {row[0] for row in rows(said)}
        yield said.status == 0 and found == {block}, f"--block {block}: {said.status}, {found}"
    several = ("--seed", 40, "--runs", 3, "--stalls", 0.5, "-o", "several")
    said = ours.rowforge("bench", "--config", config, *_OPTIONS, *several)
    seeds = [row[2] for row in rows(said)]
    yield seeds == ["40", "41", "42"], f"--seed 40 --runs 3: seeds {seeds}"
    results = ours.work / "several" / "results.xml"
    names = {case.get("name") for case in ElementTree.parse(results).iter("testcase")}
    yield names == {"traffic/stall=0.0", "traffic/stall=0.5"}, f"--stalls 0.5: {names}"
    yield junit(results)["tests"] == 6, f"--runs 3: {junit(results)}"
    logs = {path.stem for path in (ours.work / "several").glob("*.log")}
    yield len(logs) == 3, f"logs of three runs: {logs}"


def refusals(ours: Installation, config: Path, small: Path) -> Iterator[Condition]:
    """What cannot be is said in one sentence, with status 2."""

    def refused(wanted: str, *arguments: object, **variables: str) -> Condition:
        said = ours.rowforge("bench", "--config", *arguments, "-o", "refused", extra=variables)
        lines = said.err.strip().splitlines()
        good = said.status == 2 and len(lines) == 1 and wanted in lines[0]
        return good, f"{arguments} refused with {said.status}: {lines}"

    yield refused("--coverage needs --sim verilator", config, "--coverage", "--sim", "icarus")
    for block in ENGINES_ONLY:
        yield refused("its blocks are pe, noc, accelerator, link", small, "--block", block)
    without = ours.path_without("iverilog", "vvp")
    yield refused("apt-get install iverilog", config, *_OPTIONS, **without)
    other = ours.path_without("g++")
    yield refused("apt-get install g++", config, *_OPTIONS, "--sim", "verilator", **other)


def waves(ours: Installation, config: Path, simulator: str) -> Iterator[Condition]:
    """VCD and FST with a layout whose signals are there; FST of Verilator needs headers."""
    for form in ("vcd", "fst"):
        out = ours.work / f"waves_{simulator}_{form}"
        options_ = (*_OPTIONS, "--sim", simulator, "--waves", form, "-o", out)
        said = ours.rowforge("bench", "--config", config, *options_)
        label = f"--waves {form} on {simulator}"
        if (form, simulator) == ("fst", "verilator") and not ours.headers():
            lines = said.err.strip().splitlines()
            good = said.status == 2 and len(lines) == 1 and "liblz4-dev zlib1g-dev" in lines[0]
            yield good, f"{label} without headers: status {said.status}, {lines}"
            continue
        yield said.status == 0, f"{label}: status {said.status}: {said.sentence} {said.out[-800:]}"
        file = out / f"glb-traffic-1.{form}"
        layout = file.with_suffix(".gtkw")
        yield file.exists() and file.stat().st_size > 5_000, f"{label}: no {file.name}"
        yield layout.exists() and file.name in layout.read_text(), f"{label}: no layout"
        if form == "vcd" and file.exists() and layout.exists():
            header = file.read_text().partition("$enddefinitions")[0]
            declared = set(re.findall(r"\$var \w+ \d+ \S+ (\w+)", header))
            shown = set(re.findall(r"^dut\.(\w+)", layout.read_text(), re.M))
            yield len(shown) > 10 and shown <= declared, f"{label}: {shown - declared} not there"


def failing(ours: Installation, config: Path) -> Iterator[Condition]:
    """A mistake in our gateware: status 1, and JUnit XML counts what failed."""
    python = ours.programs / "python"
    said = ours.run(python, "-c", "import hw; print(hw.__file__)")
    source = Path(said.out.strip()).parent
    copy = ours.work / "mistaken"
    shutil.copytree(source, copy / "hw")
    adder = copy / "hw" / "pe" / "adder.py"
    changed = adder.read_text().replace("self.held) + self.term", "self.held) - self.term")
    yield changed != adder.read_text(), "no place for a mistake in the PE's adder"
    adder.write_text(changed)
    variables: Mapping[str, str] = {"PYTHONPATH": str(copy)}
    arguments = ("bench", "--config", config, "--block", "pe", "--runs", 2, "-o", "failing")
    said = ours.rowforge(*arguments, extra=variables)
    yield said.status == 1, f"a mistaken adder: status {said.status}: {said.sentence}"
    yield said.out.count("WRONG") == 3, "two runs and the total are WRONG"
    counts = junit(ours.work / "failing" / "results.xml")
    yield counts["failures"] >= 2 and counts["errors"] == 0, f"a mistaken adder: {counts}"
    yield counts["failures"] <= counts["tests"], f"a mistaken adder: {counts}"
