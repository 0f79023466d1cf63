"""Whether two commits make the same: `python -m benchmarks.unchanged --before COMMIT`.

    python -m benchmarks.unchanged --before COMMIT [--after HEAD] [--random 60] [--seed N]
        [--models FOLDER] [-o docs/results/unchanged.json] [--jobs 2] [--only TEXT]

All presets of both commits and random legal configurations: Verilog equal but for names of modules
and their order, else each module that differs is proved equal by yosys. Programs of the recorded
models, their cycles by the exact model, and the mapper's estimates: all equal. Hash, versions and
identity are the same in both by force. Exit status 1 if anything differs. What a commit answers is
kept under `build/unchanged`: a run that was interrupted goes on where it was, and a commit that is
compared with several others works once.
"""

import argparse
import hashlib
import json
import os
import shlex
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


class Maker:
    """A process that works with the files of one commit, and what it answered; a context.

    Parameters
    ----------
    tree : the files of the commit
    folder : of its answers, those of earlier runs among them, and of its Verilog
    """

    def __init__(self, tree: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._log = folder / "answers"
        self._known: dict[str, Any] = {}
        if self._log.exists():
            lines = self._log.read_text(encoding="utf-8").splitlines()
            self._known = dict(map(json.loads, lines))
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_WORKER)],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, request: Mapping[str, Any]) -> Any:
        """The answer to a request; `RuntimeError` if the process ends instead."""
        key = json.dumps(request, sort_keys=True)
        if key not in self._known:
            self._known[key] = self._asked({**request, "file": str(self.file(request))})
            with self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, self._known[key]]) + "\n")
        return self._known[key]

    def file(self, request: Mapping[str, Any]) -> Path:
        """Where the Verilog of a request is."""
        key = json.dumps(request, sort_keys=True)
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.v"

    def _asked(self, request: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process ended on {request}")
        return json.loads(line)

    def __enter__(self) -> "Maker":
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
    before, after : the commits
    jobs : 2 if both may work at once, else 1
    """

    def __init__(self, before: Maker, after: Maker, jobs: int) -> None:
        self._makers = before, after
        self._pool = ThreadPoolExecutor(max_workers=jobs)
        self._proofs: dict[tuple[str, str], bool] = {}

    def ask(self, request: Mapping[str, Any]) -> list[Any]:
        """What both answer, the older one first."""
        return list(self._pool.map(lambda maker: maker.ask(request), self._makers))

    def judge(self, request: Mapping[str, Any]) -> verdict.Verdict:
        """The verdict on a request that both answer."""
        before, after = self.ask(request)
        if (refused := verdict.refusals(before, after)) is not None:
            return refused
        if request["do"] != "verilog":
            return verdict.of_digests(before, after)
        files = [maker.file(request) for maker in self._makers]
        found = verdict.of_design(files[0], files[1], request["name"], self._prove)
        found["same_identity"] = before["identity"] == after["identity"]
        return found

    def _prove(self, pair: Pair) -> bool:
        texts = pair.before, pair.after
        if texts not in self._proofs:
            proved = equivalent([pair.before], [pair.after], seconds=_PROOF_SECONDS)
            self._proofs[texts] = proved
        return self._proofs[texts]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    if not tasks.models(options.models):
        print(f"no recorded models in {options.models}: give --models or set ROWFORGE_WORKLOADS")
        return 2
    commits = full_hash(options.before), full_hash(options.after)
    begin = time.monotonic()
    with ExitStack() as stack:
        before, after = (
            stack.enter_context(Maker(stack.enter_context(checked_out(commit)), _kept(commit)))
            for commit in commits
        )
        result = _run(before, Comparer(before, after, options.jobs), options)
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


def _kept(commit: str) -> Path:
    """The folder of a commit's answers, as the present form of the questions gives them."""
    form = hashlib.sha256(_WORKER.read_bytes()).hexdigest()[:8]
    return ROOT / "build" / "unchanged" / f"{commit[:12]}_{form}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.unchanged", description=__doc__)
    parser.add_argument("--before", required=True, metavar="COMMIT")
    parser.add_argument("--after", default="HEAD", metavar="COMMIT")
    parser.add_argument("--random", type=int, default=60, help="random configurations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", type=Path, default=WORKLOADS, help="folder of recorded models")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=2)
    parser.add_argument("--only", metavar="TEXT", help="cases whose name contains this")
    parser.add_argument("-o", dest="output", type=Path, default=Path("unchanged.json"))
    return parser


def _shown(options: argparse.Namespace, commits: Sequence[str]) -> list[str]:
    """The command line that gives the same figures elsewhere."""
    before, after = (commit[:12] for commit in commits)
    words = [f"--before {before}", f"--after {after}"]
    words += [f"--random {options.random}", f"--seed {options.seed}", "--models FOLDER"]
    return [*words, f"--only {shlex.quote(options.only)}"] if options.only else words


def _run(first: Maker, comparer: Comparer, options: argparse.Namespace) -> dict[str, Any]:
    before, after = comparer.ask({"do": "presets"})
    presets = sorted(before.keys() & after.keys())
    only = sorted(before.keys() ^ after.keys())
    differ = [name for name in presets if before[name] != after[name]]
    drawn = first.ask(tasks.draw(options.random, options.seed))
    requests = [
        *tasks.programs(options.models, presets),
        *tasks.designs(presets, drawn),
        *tasks.estimates(presets),
    ]
    requests = [item for item in requests if (options.only or "") in item["case"]]
    verdicts = []
    progress = Progress()
    for number, request in enumerate(requests):
        progress.show(f"{number + 1} of {len(requests)}: {request['case']}")
        found = comparer.judge(request)
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
