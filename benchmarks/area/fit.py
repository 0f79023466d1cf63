"""Coefficients of the model of areas, and its error: `python -m benchmarks.area.fit`.

Non-negative least squares of relative errors, part by part, over what `benchmarks.area.measure` has
synthesised, apart from the configurations that are held out: those are what the error is stated on.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import nnls

from benchmarks.area.measure import read
from benchmarks.results import ROOT
from hw.arch.config import Config
from rowforge.area.cells import CellCount
from rowforge.area.features import features, part_of
from rowforge.area.model import FITTED, modelled

PATH = ROOT / "rowforge" / "area" / "ecp5.json"
_PES = "PEs"


def cells_by_part(sample: Mapping[str, Any]) -> dict[str, CellCount]:
    """The cells of a synthesised accelerator."""
    found: dict[str, CellCount] = {}
    for block, cells in sample["blocks"].items():
        part = part_of(block)
        found[part] = found.get(part, CellCount()) + CellCount(**cells)
    return found


def equations(samples: Mapping[str, Any]) -> dict[str, list[tuple[dict[str, float], CellCount]]]:
    """Features and cells of every part, from PEs alone and from the varied accelerators."""
    found: dict[str, list[tuple[dict[str, float], CellCount]]] = {}
    for sample in samples["pes"]:
        config = Config.from_dict(sample["configuration"])
        count = config.array.rows * config.array.cols
        cells = CellCount(**sample["cells"]) * count
        found.setdefault(_PES, []).append((features(config)[_PES], cells))
    for sample in samples["varied"]:
        config = Config.from_dict(sample["configuration"])
        parts = cells_by_part(sample)
        for part, numbers in features(config).items():
            if part != _PES:
                found.setdefault(part, []).append((numbers, parts.get(part, CellCount())))
    return found


def fitted(
    rows: Sequence[tuple[Mapping[str, float], CellCount]], kind: str
) -> dict[str, float | None]:
    """Coefficients of a part; None for a feature that is the same, as far as `one` is, in all."""
    names = list(rows[0][0])
    matrix = np.array([[numbers[name] for name in names] for numbers, _ in rows], float)
    wanted = np.array([getattr(cells, kind) for _, cells in rows], float)
    shares = matrix / matrix[:, [names.index("one")]]
    seen = [name == "one" or np.ptp(shares[:, place]) > 0 for place, name in enumerate(names)]
    weights = 1 / np.maximum(wanted, 1)
    solution, _ = nnls(matrix[:, seen] * weights[:, None], wanted * weights)
    found: dict[str, float | None] = dict.fromkeys(names)
    varied = [name for name, known in zip(names, seen, strict=True) if known]
    for name, value in zip(varied, solution, strict=True):
        found[name] = float(f"{value:.5g}")
    return found


def errors(samples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How far the model is off for synthesised accelerators."""
    rows = []
    for sample in samples:
        real = sum((CellCount(**cells) for cells in sample["blocks"].values()), CellCount())
        model = modelled(Config.from_dict(sample["configuration"]))
        row = {"number": sample["number"], "luts": real.luts, "modelled": model.luts}
        row |= {"off": round(model.luts / real.luts - 1, 4)}
        row |= {"block_rams": [real.block_rams, model.block_rams]}
        rows.append({**row, "multipliers": [real.multipliers, model.multipliers]})
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args(arguments)
    samples = read()
    found = equations(samples)
    document: dict[str, Any] = {
        kind: {part: fitted(rows, kind) for part, rows in found.items()} for kind in FITTED
    }
    PATH.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for part, numbers in document["luts"].items():
        if never := [name for name, value in numbers.items() if value is None]:
            print(f"{part}: never varied: {', '.join(never)}")
    for name in ("varied", "drawn"):
        rows = errors(samples[name])
        for row in rows:
            print(f"{name} {row}")
        mean = sum(abs(row["off"]) for row in rows) / max(len(rows), 1)
        print(f"{name}: LUTs off by {mean:.1%} on average")
    return 0


if __name__ == "__main__":
    sys.exit(main())
