"""The testbench beside generated Verilog: passes by `make`, and finds mistakes."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.campaigns.bench.benches import counted
from tests.campaigns.bench.faults import FAULTS
from tests.campaigns.bench.installation import Installation, Said
from tests.support.missed import Condition

SIMULATORS = ("icarus", "verilator")
LEAST_FAULTS = 6  # that a configuration with engines has
NAMED = re.compile(
    r"WrongLayerError: (layer \w+ \(\w+\), item \d+, row \d+, column \d+, channel \d+: [^\n]*)"
)


def generate(ours: Installation, name: str, config: Path) -> tuple[Path, Condition]:
    """The folder of the Verilog of a configuration, with `tb/`."""
    design = ours.work / f"verilog_{name}"
    said = ours.rowforge("generate", "--config", config, "-o", design)
    there = (design / "tb" / "Makefile").is_file()
    return design, (said.status == 0 and there, f"generate {name}: {said.status}, {said.sentence}")


def make(ours: Installation, design: Path, *arguments: str) -> Said:
    """`make` as a user types it, in the environment with cocotb."""
    return ours.run("make", f"PYTHON={ours.programs / 'python'}", *arguments, cwd=design / "tb")


def passes(
    ours: Installation, name: str, design: Path, simulator: str, figures: dict[str, Any]
) -> Iterator[Condition]:
    """All tests, with waves; a seed of the user's own; one test by its name; no test."""
    sim, waves = f"SIM={simulator}", design / "tb" / "rowforge.vcd"
    label = f"make {sim} on {name}"
    said = make(ours, design, sim)
    counts = counted(design / "tb" / "results.xml") if said.status == 0 else {}
    yield said.status == 0 and "TESTS=2 PASS=2" in said.out, f"{label}: {said.out[-1500:]}"
    yield counts.get("tests") == 2 and counts["failures"] == 0, f"{label}: {counts}"
    yield not waves.exists(), f"{label}: waves that nobody asked for"
    figures |= {"seconds": round(said.seconds, 1), "cpu_seconds": round(said.cpu, 1)}
    chosen = ("COCOTB_RANDOM_SEED=7", "COCOTB_TEST_FILTER=stall=0.3")
    said = make(ours, design, sim, "WAVES=1", *chosen)
    label = f"{label} WAVES=1 {' '.join(chosen)}"
    yield said.status == 0 and "TESTS=1 PASS=1" in said.out, f"{label}: {said.out[-1500:]}"
    yield "Seeding Python random module with 7" in said.out, f"{label}: another seed"
    yield waves.exists() and waves.stat().st_size > 100_000, f"{label}: no waves"
    if waves.exists():
        header = waves.read_text().partition("$enddefinitions")[0]
        yield header.count("$var") > 200, f"{label}: {header.count('$var')} signals in the waves"
        waves.unlink()
    said = make(ours, design, sim, "COCOTB_TEST_FILTER=nothing")
    yield said.status != 0 and "no test ran" in said.err, f"{label}, no test: {said.sentence}"


def faults(
    ours: Installation, name: str, design: Path, simulator: str, found: list[dict[str, str]]
) -> Iterator[Condition]:
    """Each mistake that the Verilog has a place for must be named by layer and coordinate."""
    right = (design / "rowforge.v").read_text()
    for number, fault in enumerate(FAULTS):
        wrong = fault.put_into(right)
        if wrong is None:
            continue
        copy = ours.work / f"wrong_{name}_{simulator}_{number}"
        shutil.copytree(design, copy, ignore=shutil.ignore_patterns("sim_build", "*.vcd"))
        (copy / "rowforge.v").write_text(wrong)
        said = make(ours, copy, f"SIM={simulator}", "COCOTB_TEST_FILTER=stall=0.0")
        shutil.rmtree(copy / "tb" / "sim_build", ignore_errors=True)
        named = NAMED.search(said.out)
        found.append(
            {
                "fault": fault.name,
                "module": fault.module.removesuffix(r"\w*"),
                "configuration": name,
                "simulator": simulator,
                "said": named.group(1) if named else "",
            }
        )
        yield (
            said.status != 0 and named is not None,
            f"{name} on {simulator}: {fault.name}: status {said.status}, {said.out[-1200:]}",
        )
    places = sum(entry["configuration"] == name for entry in found)
    if name != "microcontroller":
        yield places >= LEAST_FAULTS, f"{name}: only {places} mistakes have a place"
