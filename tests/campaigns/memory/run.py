"""The memories' campaign: `python -m tests.campaigns.memory.run [--bursts N] [--seed S] [-o F]`.

Random bursts on the RTL of every memory. Words are compared with a plain array, the port's
handshakes in every cycle with the cycle model, and the chip of an SDRAM checks all its times. Then
bursts of 128 beats are timed, and controllers that do not keep one of their times must be found.
Last come bursts through the AXI4 master, to a memory of cocotbext-axi.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from sim.memory.bench import MemoryBench
from sim.memory.cases import MemoryCase, SdramCase
from tb.build import Setting
from tb.cases import memory
from tb.cases.case import Demand
from tests.campaigns.memory.cases import (
    MEMORIES,
    TRAFFIC,
    X16,
    X32,
    Fault,
    faults,
    full_bursts,
)
from tests.campaigns.memory.synthesis import FLOWS, cells
from tests.support.missed import conclude

PARTS = ("memories", "beats_a_cycle", "faults", "cells", "axi")
LEAST_BEATS = 0.9  # a cycle
_FAULTY_BURSTS = 4000


def campaign(case: MemoryCase, bursts: int, seed: int) -> dict[str, int]:
    """Sums over all kinds of traffic."""
    total: dict[str, int] = {"bursts": 0}
    with MemoryBench([case], seed=seed) as bench:
        for traffic in TRAFFIC.values():
            share = replace(traffic, bursts=-(-bursts // len(TRAFFIC)))
            outcome = bench.run(share)
            total["bursts"] += share.bursts
            for name in ("words", "cycles", "mismatches", "differences", "activates", "refreshes"):
                total[name] = total.get(name, 0) + getattr(outcome, name)
            total["longest"] = max(total.get("longest", 0), outcome.longest)
        total["violations"] = outcome.violations
    return total


def throughput(case: SdramCase, seed: int) -> dict[str, float]:
    """Beats of the pins a cycle, in bursts of `BURST_BEATS`."""
    rates = {}
    with MemoryBench([case], seed=seed) as bench:
        bench.run(replace(TRAFFIC["anywhere"], bursts=10))  # not the initialisation
        for name, traffic in full_bursts(case).items():
            outcome = bench.run(traffic)
            rates[name] = round(outcome.words * case.chip.beats / outcome.cycles, 4)
    return rates


def found(fault: Fault, seed: int) -> list[str]:
    """What a faulty controller leads to."""
    traffic = replace(TRAFFIC["neighbours"], bursts=_FAULTY_BURSTS, delay=fault.delay)
    with MemoryBench([fault.case], seed=seed, optimise="-O0") as bench:
        return bench.run(traffic).found


def boards_memories() -> dict[str, SdramCase]:
    """The memories of the boards."""
    return {name: case for name, case in MEMORIES.items() if case in (X16, X32)}


def measure(part: str, args: argparse.Namespace) -> dict[str, Any]:
    """A part of the report; each line is printed when it is there."""
    report: dict[str, Any] = {}

    def note(name: str, result: Any) -> None:
        report[name] = result
        print(f"{part}: {name}: {result}", flush=True)

    if part == "memories":
        for name, case in MEMORIES.items():
            share = args.bursts if case in (X16, X32) else -(-args.bursts // 10)
            note(name, campaign(case, share, args.seed))
    elif part == "beats_a_cycle":
        for name, case in MEMORIES.items():
            if isinstance(case, SdramCase):
                note(name, throughput(case, args.seed))
    elif part == "faults":
        for name, fault in faults().items():
            note(name, found(fault, args.seed))
    elif part == "cells":
        for (name, case), family in zip(boards_memories().items(), FLOWS, strict=True):
            note(f"{name}, {FLOWS[family]}", cells(case, family))
    else:
        note("bursts", axi(args.transactions, args.seed))
    return report


def axi(bursts: int, seed: int) -> int:
    """Bursts through the AXI4 master, half of them with pauses; a wrong one ends the campaign."""
    rates = 2  # of pauses that the bench is run with
    memory.axi_master(Demand(seed=seed), bursts=-(-bursts // rates)).run(
        Setting(simulator="icarus", label="memory_campaign")
    )
    return rates * -(-bursts // rates)


def conditions(report: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    """What must hold of the parts that there are."""
    for name, total in report.get("memories", {}).items():
        for wrong in ("mismatches", "differences", "violations"):
            yield not total[wrong], f"{name}: {total[wrong]} {wrong}"
    for name, rates in report.get("beats_a_cycle", {}).items():
        for order, rate in rates.items():
            yield rate >= LEAST_BEATS, f"{name}: {rate} beats a cycle, {order}"
    for name, kinds in report.get("faults", {}).items():
        breaks = faults()[name].breaks
        yield breaks in kinds, f"fault {name}: not {breaks} but {kinds}"


def main() -> int:
    """Everything; 1 if a word, a cycle or a time was wrong or a fault was not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bursts", type=int, default=1_000_000, help="of each board's memory")
    parser.add_argument("--transactions", type=int, default=100_000, help="of the AXI4 master")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("-o", "--output", type=Path, help="a JSON file, whose other parts stay")
    args = parser.parse_args()
    report: dict[str, Any] = {}
    for part in args.parts:
        begin = time.monotonic()
        report[part] = measure(part, args)
        if args.output:
            there = args.output.exists()
            kept = json.loads(args.output.read_text(encoding="utf-8")) if there else {}
            command = (
                f"python -m tests.campaigns.memory.run --parts {part} --bursts {args.bursts} "
                f"--transactions {args.transactions} --seed {args.seed}"
            )
            seconds = round(time.monotonic() - begin)
            kept[part] = {"command": command, "seconds": seconds, "report": report[part]}
            args.output.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return conclude(conditions(report))


if __name__ == "__main__":
    sys.exit(main())
