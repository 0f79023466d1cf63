"""Every recorded model by `rowforge run`: `python -m tests.campaigns.models.run [--target rtl]`.

With target golden every input of every recording runs; with target rtl the first input of each
model, every layer checked, and of networks that would take hours the first operators. Exit status
1 if anything differs from the recording.
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rowforge.cli import main as rowforge
from tests.campaigns.models.recorded import FOLDERS, Case, batch_of, disagreements, every_case
from tests.support.missed import conclude
from tests.support.tflite.cut import cut
from tests.support.workloads import ROOT

CUT = {"tf2_mobilenet_v2_1.0_224_ptq": 10}  # model: operators that the RTL runs


@dataclass(frozen=True)
class Finding:
    """What a case yielded: the keys that differ, or why the command failed."""

    case: Case
    inputs: int
    tensors: int
    seconds: float
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        verdict = "equal" if not self.wrong else f"DIFFERS: {', '.join(self.wrong)}"
        return (
            f"{self.case.name:50} {self.inputs:4} inputs {self.tensors:3} tensors "
            f"{self.seconds:7.1f} s  {verdict}"
        )


def run_case(case: Case, folder: Path, *, target: str, preset: str) -> Finding:
    """Run the command on a case's inputs in a folder and compare what it wrote."""
    recorded = case.recorded()
    batch = batch_of(recorded)
    path = case.path
    operators = CUT.get(case.model) if target == "rtl" else None
    if operators is not None:
        content, _ = cut(path.read_bytes(), operators)
        path = folder / f"{path.stem}_first_{operators}.tflite"
        path.write_bytes(content)
    if target == "rtl":
        batch = batch[:1]
    x, y, t = (folder / name for name in ("x.npy", "y.npy", "t.npz"))
    np.save(x, batch)
    arguments = ["run", path, "--preset", preset, "--target", target]
    arguments += ["--input", x, "--output", y, "--dump", t]
    arguments += ["--check"] if target == "rtl" else []
    started = time.monotonic()
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        status = rowforge([str(argument) for argument in arguments])
    seconds = time.monotonic() - started
    if status:
        return Finding(case, len(batch), 0, seconds, (f"status {status}: {said.getvalue()}",))
    outputs = np.load(y)
    with np.load(t) as file:
        dump = {key: file[key] for key in file.files}
    if operators is not None:
        recorded = first_of(recorded, operators, dump)
    wrong = disagreements(recorded, outputs, dump)
    return Finding(case, len(batch), len(dump), seconds, tuple(wrong))


def first_of(
    recorded: dict[str, np.ndarray], operators: int, dump: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The part of a recording that a cut model can agree with.

    Its output is the last tensor of the dump, which a digest is held against.
    """
    middle = {
        key: array
        for key, array in recorded.items()
        if key.startswith("mid_") and int(key.split("_")[1]) < operators
    }
    names = list(recorded["digest_names"])
    kept = [n for n, name in enumerate(names) if any(key.endswith(f"_{name}") for key in middle)]
    assert len(kept) == operators
    return {
        **middle,
        "output_tflm": dump[max(middle).removeprefix("mid_")],
        "digest_names": recorded["digest_names"][kept],
        "digest16_tflm": recorded["digest16_tflm"][:, kept],
    }


def chosen(target: str, only: str | None) -> list[Case]:
    """All cases, or on the RTL one with intermediates for each model; or those that match."""
    cases = every_case()
    if target == "rtl":
        cases = [case for case in cases if case.inputs == "rand"]
    return [case for case in cases if only is None or only in case.name]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.models.run", description=__doc__)
    parser.add_argument("--target", choices=("golden", "rtl"), default="golden")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--only", metavar="TEXT", help="cases whose name contains this")
    options = parser.parse_args(arguments)
    if not all((ROOT / folder / "goldens").is_dir() for folder in FOLDERS):
        print(f"the recorded models are not in {ROOT}: set ROWFORGE_WORKLOADS")
        return 2
    findings = []
    for case in chosen(options.target, options.only):
        with tempfile.TemporaryDirectory() as folder:
            finding = run_case(case, Path(folder), target=options.target, preset=options.preset)
        findings.append(finding)
        print(finding, flush=True)
    wrong = [finding for finding in findings if finding.wrong]
    seconds = sum(finding.seconds for finding in findings)
    print(
        f"{len(findings)} recordings on {options.target} ({options.preset}), "
        f"{len(wrong)} differ, {seconds:.0f} s"
    )
    return conclude(
        [
            (not wrong, f"{len(wrong)} of {len(findings)} recordings differ"),
            (bool(findings), f"no recording was run (--only {options.only})"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
