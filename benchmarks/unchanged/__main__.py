"""Whether two commits make the same: `python -m benchmarks.unchanged --before COMMIT`.

    python -m benchmarks.unchanged --before COMMIT [--after HEAD] [--random 60] [--seed N]
        [--models FOLDER] [-o docs/results/unchanged.json] [--jobs 2]

All presets of both commits and random legal configurations: Verilog equal but for names of modules
and their order, else each module that differs is proved equal by yosys. Programs of the recorded
models, their cycles by the exact model, and the mapper's estimates: all equal. Hash, versions and
identity are the same in both by force. Exit status 1 if anything differs. A run that was
interrupted goes on where it was: verdicts are kept under `build/unchanged`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.checkout import ROOT, checked_out, full_hash
from benchmarks.results import tools
from benchmarks.unchanged import tasks, verdict
from benchmarks.unchanged.verilog import Pair
from rowforge.running.progress import Progress
from tests.campaigns.mutants.equivalence import equivalent
from tests.support.workloads import ROOT as WORKLOADS

_WORKER = Path(__file__).with_name("worker.py")
_PROOF_SECONDS = 600
_KINDS = {"verilog": "verilog", "program": "programs", "estimate": "estimates"}


class Worker:
    """A process that works with the files of one commit; a context that ends it."""

    def __init__(self, tree: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(tree)}
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_WORKER)],
            cwd=tree,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, request: Mapping[str, Any]) -> Any:
        """The answer to a request; `RuntimeError` if the process ends instead."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process ended on {request}")
        return json.loads(line)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()


class Comparer:
    """Asks both commits and judges their answers.

    Parameters
    ----------
    workers : of the commit before and of the one after
    folder : for Verilog; of designs that differ it is left there
    jobs : 2 if both may work at once, else 1
    """

    def __init__(self, workers: Sequence[Worker], folder: Path, jobs: int) -> None:
        self._workers = workers
        self._folder = folder
        self._pool = ThreadPoolExecutor(max_workers=jobs)
        self._proofs: dict[tuple[str, str], bool] = {}

    def ask(self, requests: Sequence[Mapping[str, Any]]) -> list[Any]:
        """One request for each commit, the older one first."""
        return list(self._pool.map(Worker.ask, self._workers, requests))

    def judge(self, request: Mapping[str, Any], number: int) -> verdict.Verdict:
        """The verdict on a request that both answer."""
        files = [self._folder / f"{number}_{side}.v" for side in ("before", "after")]
        before, after = self.ask([{**request, "file": str(file)} for file in files])
        if (refused := verdict.refusals(before, after)) is not None:
            return refused
        if request["do"] != "verilog":
            return verdict.of_digests(before, after)
        found = verdict.of_design(files[0], files[1], request["name"], self._prove)
        found["same_identity"] = before["identity"] == after["identity"]
        if found["result"] != verdict.DIFFERENT:
            for file in files:
                file.unlink()
        return found

    def _prove(self, pair: Pair) -> bool:
        texts = pair.before, pair.after
        if texts not in self._proofs:
            proved = equivalent([pair.before], [pair.after], seconds=_PROOF_SECONDS)
            self._proofs[texts] = proved
        return self._proofs[texts]


class Log:
    """Verdicts by request, kept in a file as soon as they are known."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, verdict.Verdict] = {}
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines()
            self._known = dict(map(json.loads, lines))

    def get(self, request: Mapping[str, Any]) -> verdict.Verdict | None:
        """The verdict of an earlier run, or None."""
        return self._known.get(json.dumps(request, sort_keys=True))

    def add(self, request: Mapping[str, Any], found: verdict.Verdict) -> None:
        """Keep a verdict."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([json.dumps(request, sort_keys=True), found]) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    if not tasks.models(options.models):
        print(f"no recorded models in {options.models}: give --models or set ROWFORGE_WORKLOADS")
        return 2
    commits = full_hash(options.before), full_hash(options.after)
    folder = ROOT / "build" / "unchanged" / "-".join(commit[:12] for commit in commits)
    folder.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with ExitStack() as stack:
        trees = [stack.enter_context(checked_out(commit)) for commit in commits]
        workers = [stack.enter_context(Worker(tree)) for tree in trees]
        result = _run(Comparer(workers, folder, options.jobs), Log(folder / "verdicts"), options)
    head = {
        "command": " ".join(["python -m benchmarks.unchanged", *_shown(options, commits)]),
        "before": commits[0],
        "after": commits[1],
        "date": datetime.now(UTC).date().isoformat(),
        "tools": tools(simulated=True),
        "seconds": round(time.monotonic() - begin),
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(head | result, indent=1) + "\n", encoding="utf-8")
    wrong = sum(result[kind]["results"].get(verdict.DIFFERENT, 0) for kind in _KINDS.values())
    wrong += len(result["presets"]["differ"])
    print(f"{options.output}: {wrong} cases differ")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.unchanged", description=__doc__)
    parser.add_argument("--before", required=True, metavar="COMMIT")
    parser.add_argument("--after", default="HEAD", metavar="COMMIT")
    parser.add_argument("--random", type=int, default=60, help="random configurations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", type=Path, default=WORKLOADS, help="folder of recorded models")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=2)
    parser.add_argument("-o", dest="output", type=Path, default=Path("unchanged.json"))
    return parser


def _shown(options: argparse.Namespace, commits: Sequence[str]) -> list[str]:
    """The command line that gives the same figures elsewhere."""
    before, after = (commit[:12] for commit in commits)
    words = [f"--before {before}", f"--after {after}"]
    return [*words, f"--random {options.random}", f"--seed {options.seed}", "--models FOLDER"]


def _run(comparer: Comparer, log: Log, options: argparse.Namespace) -> dict[str, Any]:
    before, after = comparer.ask([{"do": "presets"}] * 2)
    presets = sorted(before.keys() & after.keys())
    only = sorted(before.keys() ^ after.keys())
    differ = [name for name in presets if before[name] != after[name]]
    draw = tasks.draw(options.random, options.seed)
    drawn, _ = comparer.ask([draw, {"do": "presets"}])
    requests = [
        *tasks.designs(presets, drawn),
        *tasks.estimates(presets),
        *tasks.programs(options.models, presets),
    ]
    verdicts = []
    progress = Progress()
    for number, request in enumerate(requests):
        progress.show(f"{number + 1} of {len(requests)}: {request['case']}")
        found = log.get(request)
        if found is None:
            found = comparer.judge(request, number)
            log.add(request, found)
        progress.clear()
        if found["result"] not in (verdict.EQUAL, verdict.REFUSED):
            print(f"{request['case']}: {found}", flush=True)
        verdicts.append((request, found))
    result: dict[str, Any] = {"presets": {"both": presets, "one": only, "differ": differ}}
    result["random"] = _spread(drawn)
    return result | {key: _summary(verdicts, kind) for kind, key in _KINDS.items()}


def _spread(drawn: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How the random configurations are spread: of each field least, most, number of values."""
    fields = {name: sorted({values[name] for values in drawn}) for name in (drawn or [{}])[0]}
    return {
        "configurations": len(drawn),
        "microcontroller": sum(values["processor"] for values in drawn),
        "fields": {name: [seen[0], seen[-1], len(seen)] for name, seen in fields.items()},
    }


def _summary(verdicts: Sequence[tuple[Mapping[str, Any], verdict.Verdict]], kind: str) -> Any:
    """Counts of results, and all that is not simply equal."""
    chosen = [(request, found) for request, found in verdicts if request["do"] == kind]
    summary: dict[str, Any] = {
        "cases": len(chosen),
        "results": dict(Counter(found["result"] for _, found in chosen)),
    }
    for name in ("modules", "cycles"):
        if any(name in found for _, found in chosen):
            summary[name] = sum(found.get(name) or 0 for _, found in chosen)
    proved = [
        f"{request['case']}: {path}"
        for request, found in chosen
        for path in found.get("proved", ())
    ]
    if proved:
        summary["proved"] = proved
    summary["not_compared"] = sorted(
        {name for _, found in chosen for name in found.get("not_compared", ())}
    )
    for name in ("same_words", "same_identity"):
        if any(name in found for _, found in chosen):
            summary[name] = sum(found.get(name, False) for _, found in chosen)
    summary["not_equal"] = [
        {"case": request["case"], **found}
        for request, found in chosen
        if found["result"] != verdict.EQUAL
    ]
    return summary


if __name__ == "__main__":
    sys.exit(main())
