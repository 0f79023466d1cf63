"""The project's packages, read from `pyproject.toml`, which is the one place that lists them."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# What the wheel holds.
SHIPPED = tuple(
    name
    for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    if not name.endswith(".*")
)
UNSHIPPED = ("tests", "benchmarks", "examples", "website")
