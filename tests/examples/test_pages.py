"""The pages from training to accelerator: their commands, and the comparison that ends them.

`make test-examples` runs them; here only what needs no training framework is held.
"""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from rowforge.cli import build_parser

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = load("run_pages")


def commands(name: str) -> list[list[str]]:
    joined = PAGES.script(name).replace("\\\n", " ")
    return [shlex.split(line) for line in joined.splitlines()]


@pytest.mark.parametrize("name", PAGES.NAMES)
def test_a_page_ends_in_a_run_that_is_compared(name: str) -> None:
    lines = commands(name)
    runs = [line[1:] for line in lines if line[0] == "rowforge" and line[1] == "run"]
    targets = [build_parser().parse_args(line) for line in runs]
    assert [options.target for options in targets] == ["golden", "rtl"]
    assert targets[1].check
    assert lines[-1] == ["python", "examples/compare.py", f"build/{name}"]
    for line in lines:
        if line[0] == "rowforge":
            build_parser().parse_args(line[1:])
        scripts = [part for part in line if part.startswith("examples/")]
        assert all((EXAMPLES.parent / part).exists() for part in scripts), line


@pytest.mark.parametrize("name", PAGES.NAMES)
def test_links_lead_somewhere(name: str) -> None:
    page = EXAMPLES / name / "README.md"
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (page.parent / link).exists()] == []


def compared(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / "compare.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_comparison_fails_for_one_value(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    outputs = rng.integers(-128, 128, (20, 10)).astype(np.int8)
    labels = outputs.argmax(axis=1)
    for file, array in {
        "labels": labels,
        "float": outputs / 128,
        "expected": outputs,
        "y": outputs,
        "rtl": outputs[:3],
    }.items():
        np.save(tmp_path / f"{file}.npy", array)
    good = compared(tmp_path)
    assert good.returncode == 0, good.stderr
    assert good.stdout.count("20 of   20 right (100.00 %)") == 3
    assert "0 of 30 outputs differ" in good.stdout
    for file in ("y", "rtl"):
        wrong = np.load(tmp_path / f"{file}.npy")
        wrong[1, 2] ^= 1
        np.save(tmp_path / f"{file}.npy", wrong)
        bad = compared(tmp_path)
        assert bad.returncode == 1
        assert f"1 of {wrong.size} outputs differ" in bad.stdout
        wrong[1, 2] ^= 1
        np.save(tmp_path / f"{file}.npy", wrong)
    np.save(tmp_path / "y.npy", outputs.astype(np.int16))
    assert compared(tmp_path).returncode == 1
