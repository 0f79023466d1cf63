"""What a simulator imports with a bench: it does so anew for every test."""

import subprocess
import sys

import pytest

PRINT = "import sys, tb.benches.{}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"


@pytest.mark.parametrize("bench", ["accelerator_bench", "link_bench"])
def test_a_bench_imports_neither_numpy_nor_what_builds_simulators(bench: str) -> None:
    """Both together doubled the time until a simulation began."""
    command = [sys.executable, "-c", PRINT.format(bench)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {"numpy", "sim"} & set(done.stdout.split())
