"""Acceptance of the benches: `python -m tests.campaigns.bench.run [--seed N] [-o FILE]`.

Builds the wheel, installs `rowforge[bench]` in a fresh environment and uses it from an empty
folder: `rowforge bench` on three configurations drawn from the seed with both simulators, its
options and refusals, and the testbench that `rowforge generate` writes, with and without mistakes
in the Verilog. Needs g++, make, perl and iverilog, and a package index. Exit status 1 if anything
is missed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from hw.arch.config.file import render_toml
from tests.campaigns.bench import benches, generated
from tests.campaigns.bench.configs import KINDS, drawn
from tests.campaigns.bench.generated import SIMULATORS
from tests.campaigns.bench.installation import Installation
from tests.support.missed import Condition, conclude
from tests.support.packages import ROOT, SHIPPED

PARTS = ("bench", "options", "generated")


class Campaign:
    """Figures and conditions so far."""

    def __init__(
        self, ours: Installation, seed: int, parts: Iterable[str], simulators: Iterable[str]
    ):
        self._ours = ours
        self._parts = tuple(parts)
        self._simulators = tuple(simulators)
        self.seed = seed
        self.conditions: list[Condition] = []
        self.figures: dict[str, Any] = {"bench": [], "make": [], "faults": []}

    def run(self, kinds: Iterable[str]) -> Iterator[None]:
        """All parts, configuration by configuration; yields where figures may be kept."""
        files = {}
        for name, config in drawn(self.seed):
            files[name] = self._ours.work / f"{name}.toml"
            files[name].write_text(render_toml(config), encoding="utf-8")
        if "generated" in self._parts:
            for name in kinds:
                self._generated(name, files[name])
                yield
        if "bench" in self._parts:
            for simulator, name in product(self._simulators, kinds):
                self._whole(name, files[name], simulator)
                yield
        if "options" in self._parts:
            wide, small = files["wide"], files["microcontroller"]
            self._take(benches.refusals(self._ours, wide, small))
            self._take(benches.failing(self._ours, wide))
            for simulator in self._simulators:
                self._take(benches.waves(self._ours, wide, simulator))
            self.figures["fst_headers"] = self._ours.headers()
            yield
            self._take(benches.options(self._ours, wide))
            yield

    def report(self) -> dict[str, Any]:
        """What was found so far, for JSON."""
        return {
            "seed": self.seed,
            "conditions": len(self.conditions),
            "hold": sum(holds for holds, _ in self.conditions),
            "missed": [said for holds, said in self.conditions if not holds],
            **self.figures,
        }

    def _whole(self, name: str, file: Path, simulator: str) -> None:
        figures, conditions = benches.whole(self._ours, name, file, simulator)
        self._take(conditions)
        self.figures["bench"].append({"configuration": name, "simulator": simulator} | figures)
        print(self.figures["bench"][-1], flush=True)

    def _generated(self, name: str, file: Path) -> None:
        design, condition = generated.generate(self._ours, name, file)
        self._take([condition])
        for simulator in self._simulators:
            entry: dict[str, Any] = {"configuration": name, "simulator": simulator}
            self._take(generated.passes(self._ours, name, design, simulator, entry))
            self.figures["make"].append(entry)
            print(entry, flush=True)
        found = self.figures["faults"]
        self._take(generated.faults(self._ours, name, design, self._simulators[0], found))

    def _take(self, conditions: Iterable[Condition]) -> None:
        for condition in conditions:
            self.conditions.append(condition)
            print("." if condition[0] else f"missed: {condition[1]}", flush=True)


def commit() -> str:
    """The commit, with `+changes` if what the wheel holds differs from it."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()

    number = git("rev-parse", "--short=12", "HEAD")
    changes = git("status", "--porcelain", "--", *SHIPPED, "pyproject.toml")
    return f"{number}+changes" if changes else number


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The report of several commands, of which each did a part; other commits are forgotten."""
    if any(old.get(name) != new[name] for name in ("commit", "seed", "tools")):
        return new
    added = ("commands", "bench", "make", "faults", "conditions", "hold", "missed")
    return {**old, **new, **{name: old[name] + new[name] for name in added}}


def main() -> int:
    """Run the campaign; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of the configurations (1)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="some parts (all)")
    parser.add_argument(
        "--simulators", nargs="+", choices=SIMULATORS, default=SIMULATORS, help="some (both)"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="figures as JSON, beside those of other parts",
    )
    parser.add_argument("--folder", type=Path, help="keep the environment here, to use it again")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="some (all)")
    options = parser.parse_args()
    output: Path | None = options.output
    kept = json.loads(output.read_text(encoding="utf-8")) if output and output.exists() else {}
    with tempfile.TemporaryDirectory(prefix="bench-acceptance-") as folder:
        ours = Installation(options.folder.resolve() if options.folder else Path(folder))
        head = {
            "commands": [f"python -m tests.campaigns.bench.run {' '.join(sys.argv[1:])}"],
            "commit": commit(),
            "date": datetime.now(UTC).date().isoformat(),
            "tools": ours.versions(),
        }
        campaign = Campaign(ours, options.seed, options.parts, options.simulators)
        for _ in campaign.run(options.kinds):
            if output is not None:
                report = merged(kept, head | campaign.report())
                output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    holds = sum(holds for holds, _ in campaign.conditions)
    print(f"{holds} of {len(campaign.conditions)} conditions hold")
    return conclude(campaign.conditions)


if __name__ == "__main__":
    sys.exit(main())
