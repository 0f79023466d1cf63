"""Syntheses that the model of areas is fitted to: `python -m benchmarks.area.measure`.

Each configuration that is missing in docs/results/area.json is drawn, synthesised, and added, one
at a time: "pes" are of a PE alone, "varied" of whole accelerators that differ from one in little,
and "drawn" of whole accelerators that the model is only compared with.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.area.drawn import VARIATIONS, configuration, varied
from benchmarks.results import RESULTS, commit, tools
from hw.emit.yosys import yosys_version
from rowforge.area.synthesis import synthesise, synthesise_pe

PATH = RESULTS / "area.json"
SEED, SEED_OF_PES = 20, 21
KINDS = ("pes", "varied", "drawn")


def read() -> dict[str, list[dict[str, Any]]]:
    """What was measured so far, by kind.

    "pes" have `number`, `configuration` and `cells`; the others `number`, `configuration` and
    `blocks`, the cells by block.
    """
    if not PATH.is_file():
        return {kind: [] for kind in KINDS}
    document = json.loads(PATH.read_text("utf-8"))
    return {kind: document[kind] for kind in KINDS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pes", type=int, default=46, help="PEs in all")
    parser.add_argument("--varied", type=int, default=len(VARIATIONS), help="of them, in all")
    parser.add_argument("--drawn", type=int, default=1, help="of them, in all")
    options = parser.parse_args(arguments)
    found = read()
    for kind in KINDS:
        numbers = {sample["number"] for sample in found[kind]}
        for number in (each for each in range(getattr(options, kind)) if each not in numbers):
            begin = time.monotonic()
            sample = _pe(number) if kind == "pes" else _accelerator(kind, number)
            found[kind] = sorted([*found[kind], sample], key=lambda each: int(each["number"]))
            print(f"{kind} {number}: {time.monotonic() - begin:.0f} s", flush=True)
            _write(found)
    return 0


def _pe(number: int) -> dict[str, Any]:
    config = configuration(SEED_OF_PES, number)
    cells = asdict(synthesise_pe(config))
    return {"number": number, "configuration": config.as_dict(), "cells": cells}


def _accelerator(kind: str, number: int) -> dict[str, Any]:
    config = varied(number) if kind == "varied" else configuration(SEED, number)
    blocks = {name: asdict(cells) for name, cells in synthesise(config).items() if cells}
    return {"number": number, "configuration": config.as_dict(), "blocks": blocks}


def _write(found: dict[str, list[dict[str, Any]]]) -> None:
    document: dict[str, Any] = {
        "command": "python -m benchmarks.area.measure",
        "commit": commit(),
        "tools": {**tools(simulated=False), "yosys": yosys_version()},
        **found,
    }
    PATH.write_text(json.dumps(document) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
