"""How many mistakes the tests notice: `python -m tests.campaigns.mutants.run --n 30 --seed 7`.

A mutant is a change of one operator, constant, comparison, slice or width at a random place of hw/,
compiler/ or numerics/, or of the files and folders that `--paths` names (of sim/, too). In a copy
of the tree it meets the tests beside it, short fuzzes of layers and of graphs without time, the
slice of the fuzzer on the RTL, and the quick tests of its module. What survives is compared with
the original by the Verilog and the programs that come out: without a difference it is held for
equivalent, and so is Verilog whose modules yosys proves to be equal.

Exit status 1 if more than a tenth of the mutants survive.
"""

import argparse
import difflib
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.arch.errors import RowforgeError
from tests.campaigns.mutants.equivalence import equivalent
from tests.campaigns.mutants.sites import Site, sites
from tests.campaigns.mutants.tree import ROOT, Done, Tree
from tests.support.missed import conclude

FOLDERS = ("hw", "compiler", "numerics")
ALLOWED = (*FOLDERS, "sim")  # where `--paths` may point
DESIGNS = {"hw/memory/": "memories", "hw/replay/": "replays"}
"""Folders of which designs of their own are made: an accelerator has no memory unless told."""
TIMING = "tests/hw/timing"  # blocks beside their drawings
SECONDS = 240.0  # for each mutant
_SURVIVING_SHARE = 0.1
_SHARE_OF_TIME = 0.75  # a stage that takes as much longer than it should hangs

FUZZ = (
    "-m",
    "tests.campaigns.fuzz.run",
    "--engine",
    "functional",
    "--n",
    "60",
    "--configs",
    "20",
    "--stop",
)
NETWORK = (
    *(
        "-m",
        "tests.campaigns.fuzz_network.run",
        "--engine",
        "functional",
        "--n",
        "30",
        "--seed",
        "3",
    ),
    *("--jobs", "1", "--shrink", "0", "--stop"),
)
PYTEST = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider")
SLICE = (*PYTEST, "tests/campaigns/fuzz/test_fuzz_slice.py", "-k", "rtl")


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: "caught", "equivalent" or "survived", and by what."""

    kind: str
    why: str


class Trial:
    """One mutant in the tree, within its time."""

    def __init__(self, tree: Tree, site: Site, prints: dict[str, str]) -> None:
        self._tree, self._site, self._prints = tree, site, prints
        self._end = time.monotonic() + SECONDS

    def judge(self) -> Verdict:
        """Apply the change, go through the stages, take the change back."""
        path = self._tree.path(self._site.path)
        original = path.read_text()
        path.write_text(self._site.apply(original))
        try:
            stages = self._gateware if self._is_gateware() else self._software
            return stages()
        finally:
            path.write_text(original)

    @property
    def _kind(self) -> str:
        """Which Verilog shows that something changed."""
        return verilog_of(self._site) or "verilog"

    def _is_gateware(self) -> bool:
        return self._site.path.startswith("hw/") and not self._site.path.startswith("hw/arch/")

    def _gateware(self) -> Verdict:
        folder = self._tree.folder / "mutant" / self._kind
        printed = self._run("-m", "tests.campaigns.mutants.fingerprint", self._kind, str(folder))
        if not printed.good:
            return Verdict("caught", f"elaboration: {_last(printed)}")
        changed = printed.output != self._prints[self._kind]
        stages = self._tests_beside() if changed else []
        if changed and self._kind == "verilog":
            stages.append(lambda: self._stage("RTL slice", *SLICE))
        verdict = self._through([*stages, self._tests])
        if verdict is None and not changed:
            return Verdict("equivalent", "the Verilog is the same")
        if verdict is None and self._proved(folder):
            return Verdict("equivalent", "yosys proves the modules equal")
        return verdict or Verdict("survived", "the Verilog differs")

    def _proved(self, folder: Path) -> bool:
        """The Verilog of the mutant is shown to be equivalent, in the time that is left."""
        original, changed = (
            [path.read_text() for path in sorted(place.glob("*.v"))]
            for place in (self._tree.folder / "original" / self._kind, folder)
        )
        return equivalent(original, changed, seconds=self._end - time.monotonic())

    def _software(self) -> Verdict:
        verdict = self._through(
            [
                *self._tests_beside(),
                lambda: self._stage("fuzz", *FUZZ),
                lambda: self._stage("fuzz-network", *NETWORK),
                lambda: self._stage("RTL slice", *SLICE),
                self._tests,
            ]
        )
        if verdict is not None:
            return verdict
        reached = ("programs", "verilog") if self._site.path.startswith("hw/") else ("programs",)
        for kind in reached:
            command = ("-m", "tests.campaigns.mutants.fingerprint", kind)
            # The stages before may have used up the mutant's time.
            printed = self._tree.python(*command, limit=SECONDS)
            if printed.output != self._prints[kind]:
                why = "differ" if printed.good else "cannot be compared"
                return Verdict("survived", f"{kind} {why}")
        return Verdict("equivalent", "programs and Verilog are the same")

    def _through(self, stages: Sequence[Callable[[], Verdict | None]]) -> Verdict | None:
        return next((verdict for stage in stages if (verdict := stage()) is not None), None)

    def _tests_beside(self) -> list[Callable[[], Verdict | None]]:
        """The tests of the source's own folder, which take seconds and find most mistakes."""
        folders = self._tree.tests_beside(self._site.path)
        folders += [TIMING] * self._is_gateware()
        run = (*PYTEST, "-m", "not slow", *folders)
        return [lambda: self._stage("tests beside it", *run)] if folders else []

    def _tests(self) -> Verdict | None:
        """The quick tests of the module; what they do not get done in time counts for nothing."""
        done = self._run(*PYTEST, "-m", "not slow", *self._tree.tests_of(self._site.path))
        if done.good or done.status is None:
            return None
        return Verdict("caught", f"tests: {_last(done)}")

    def _stage(self, name: str, *arguments: str) -> Verdict | None:
        started = time.monotonic()
        done = self._run(*arguments)
        if done.good:
            return None
        if done.status is None and time.monotonic() - started < _SHARE_OF_TIME * SECONDS:
            return None  # earlier stages had used up the time
        return Verdict("caught", f"{name}: {_last(done)}")

    def _run(self, *arguments: str) -> Done:
        return self._tree.python(*arguments, limit=self._end - time.monotonic())


def verilog_of(site: Site) -> str | None:
    """The kind of Verilog that is made of a site's folder alone; None if there is none."""
    return next((kind for path, kind in DESIGNS.items() if site.path.startswith(path)), None)


def _last(done: Done) -> str:
    """The line that says most about a failure."""
    if done.status is None:
        return "no end in sight"
    lines = [line for line in done.output.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("FAILED", "ERROR", "E  "))]
    return " ".join((telling or lines or ["?"])[0 if telling else -1].split())[:160]


def all_sites(paths: Sequence[str] = FOLDERS) -> list[Site]:
    """Every site of the sources in some files and folders, which count from the project's root.

    Raises `RowforgeError` for a path that is no source under test, or has no site.
    """
    found: dict[Site, None] = {}
    for name in paths:
        place = (ROOT / name).resolve()
        within = [ROOT / folder for folder in ALLOWED]
        under_test = any(folder in (place, *place.parents) for folder in within)
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        known = [path for path in files if under_test and path.is_file() and path.suffix == ".py"]
        here = [
            site
            for path in known
            for site in sites(path.relative_to(ROOT).as_posix(), path.read_text())
        ]
        if not here:
            folders = ", ".join(f"{folder}/" for folder in ALLOWED)
            raise RowforgeError(f"paths must name sources of {folders} with sites, not {name!r}")
        found.update(dict.fromkeys(here))
    return list(found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    seed = options.seed if options.seed is not None else commit_seed()
    try:
        candidates = all_sites(options.paths or FOLDERS)
    except RowforgeError as error:
        print(error)
        return 2
    chosen = random.Random(seed).sample(candidates, min(options.n, len(candidates)))
    print(f"{len(chosen)} of {len(candidates)} mutants, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="rowforge-mutants-") as folder:
        verdicts = _try_all(Tree(Path(folder)), chosen)
    counts = Counter(verdict.kind for verdict in verdicts)
    kinds = ("caught", "equivalent", "survived")
    print(", ".join(f"{counts[kind]} {kind}" for kind in kinds))
    return conclude(
        [
            (
                counts["survived"] <= _SURVIVING_SHARE * len(chosen),
                f"{counts['survived']} of {len(chosen)} mutants survived, at most "
                f"{_SURVIVING_SHARE:.0%} may",
            )
        ]
    )


def _try_all(tree: Tree, chosen: list[Site]) -> list[Verdict]:
    """Measure the original, then try every mutant."""
    prints = {}
    own = {verilog_of(site) for site in chosen}
    common = ("verilog", "programs") * (None in own)
    for name in (*sorted(kind for kind in own if kind), *common):
        folder = tree.folder / "original" / name
        command = ("-m", "tests.campaigns.mutants.fingerprint", name, str(folder))
        prints[name] = _expected(tree, name, *command)
    if common:
        _expected(tree, "fuzz", *FUZZ)
        _expected(tree, "fuzz-network", *NETWORK)
        _expected(tree, "RTL slice", *SLICE)
    verdicts = []
    for number, site in enumerate(chosen, start=1):
        started = time.monotonic()
        _progress(f"mutant {number} of {len(chosen)}: {site.path}:{site.line}")
        verdict = Trial(tree, site, prints).judge()
        _progress("")
        verdicts.append(verdict)
        spent = time.monotonic() - started
        print(f"{number:3} {verdict.kind} ({verdict.why}), {spent:.0f} s", flush=True)
        print(_difference(site), flush=True)
    return verdicts


def _expected(tree: Tree, name: str, *arguments: str) -> str:
    """What a stage prints for the original, which must be good."""
    _progress(f"original: {name}")
    done = tree.python(*arguments, limit=10 * SECONDS)
    _progress("")
    if not done.good:
        raise SystemExit(f"the original fails already: {name}\n{done.tail}")
    return done.output


def _difference(site: Site) -> str:
    """The changed line, before and after."""
    source = (ROOT / site.path).read_text()
    name = f"{site.path}:{site.line} {site.kind}"
    before, after = source.splitlines(), site.apply(source).splitlines()
    lines = list(difflib.unified_diff(before, after, lineterm="", n=0))[3:]
    return "\n".join([f"    {name}", *(f"    {line}" for line in lines)])


def commit_seed() -> int:
    """A seed made from the hash of the commit."""
    found = subprocess.run(
        ["git", "rev-parse", "--short=7", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    return int(found.stdout.strip() or "0", 16)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests.campaigns.mutants.run", description="small mistakes"
    )
    parser.add_argument("--n", type=int, default=30, help="mutants (30)")
    parser.add_argument(
        "--paths", nargs="+", metavar="PATH", help="files and folders (hw compiler numerics)"
    )
    parser.add_argument("--seed", type=int, help="of their choice (from the commit's hash)")
    return parser


def _progress(text: str) -> None:
    """One line on a terminal, nothing elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + text)
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
