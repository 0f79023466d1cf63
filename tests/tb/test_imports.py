"""What a simulator imports with a bench: it does so anew for every test."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tb import build
from tb.runners import IcarusRunner

PRINT = "import sys, tb.benches.{}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"


@pytest.mark.parametrize("bench", ["accelerator_bench", "link_bench"])
def test_a_bench_imports_neither_numpy_nor_what_builds_simulators(bench: str) -> None:
    """Both together doubled the time until a simulation began."""
    command = [sys.executable, "-c", PRINT.format(bench)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {"numpy", "sim"} & set(done.stdout.split())


def test_a_simulator_loads_no_plugins_of_pytest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """cocotb would let pytest load them all, and rewrite all modules, in each simulation."""
    started: list[dict[str, str]] = []

    def refuses(self: IcarusRunner, *, extra_env: dict[str, str], **options: object) -> None:
        started.append(extra_env)
        raise RuntimeError("enough seen")

    monkeypatch.setattr(build, "_build", lambda *arguments: (tmp_path, tmp_path / "design.v"))
    monkeypatch.setattr(IcarusRunner, "test", refuses)
    setting = build.Setting(simulator="icarus", folder=tmp_path)
    with pytest.raises(build.BenchFailedError, match="enough seen"):
        build.simulate(partial(pytest.fail), "link_bench", {}, setting=setting)  # type: ignore[arg-type]
    (environment,) = started
    assert environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] == "1"
    assert environment["COCOTB_REWRITE_ASSERTION_FILES"] == "*_bench.py"
