"""Broken model files: `python -m tests.campaigns.damage.run --n 2000 --seed 1`.

Runs every hand-made kind and as many seeded mutations of `.tflite` and of `.onnx` files through
`rowforge run` on the golden model. Exit status 1 if a file does anything but run or be refused in
one sentence, within 5 s and 1 GB above the bare import: always of the processor's time, and of the
clock's where a processor was idle. `--only SEED:NUMBER`, `--only SEED:NUMBER:onnx` or `--only KIND`
repeats one; `--keep` saves it.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.campaigns.damage.kinds import KINDS
from tests.campaigns.damage.mutations import mutation, onnx_mutation
from tests.campaigns.damage.sandbox import Verdict, run_on
from tests.support.missed import conclude

_TOLD = 250  # files between two lines of progress


def files(options: argparse.Namespace) -> Iterator[tuple[str, str, str, bytes]]:
    """(label, what was done, suffix, content) of every file that is asked for."""
    if options.only in KINDS:
        yield _by_hand(options.only)
    elif options.only:
        seed, number, *onnx = options.only.split(":")
        yield _by_seed(int(seed), int(number), bool(onnx))
    else:
        for name in KINDS:
            yield _by_hand(name)
        for number in range(options.n):
            yield _by_seed(options.seed, number, False)
            yield _by_seed(options.seed, number, True)


def _by_hand(name: str) -> tuple[str, str, str, bytes]:
    return name, "hand-made", KINDS[name].suffix, KINDS[name].content()


def _by_seed(seed: int, number: int, onnx: bool) -> tuple[str, str, str, bytes]:
    done, content = (onnx_mutation if onnx else mutation)(seed, number)
    label = f"{seed}:{number}"
    return (f"{label}:onnx", done, ".onnx", content) if onnx else (label, done, ".tflite", content)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.damage.run", description=__doc__)
    parser.add_argument("--n", type=int, default=2000, help="mutations of each format (2000)")
    parser.add_argument("--seed", type=int, default=1, help="of the campaign (1)")
    parser.add_argument("--only", metavar="LABEL", help="repeat one file")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep faulty files here")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    statuses: Counter[int] = Counter()
    worst = Verdict(0, "", 0.0, 0)
    faulty = quiet = 0
    with tempfile.TemporaryDirectory() as folder:
        for label, done, suffix, content in files(options):
            path = Path(folder) / f"model{suffix}"
            path.write_bytes(content)
            verdict = run_on(path)
            quiet += verdict.quiet
            statuses[verdict.status] += 1
            worst = Verdict(
                0,
                "",
                max(worst.seconds, verdict.seconds),
                max(worst.bytes, verdict.bytes),
                max(worst.wall, verdict.wall if verdict.quiet else 0.0),
            )
            if verdict.faults or options.only:
                print(f"{label} ({done}): {'; '.join(verdict.faults)} {verdict.said}", flush=True)
            faulty += bool(verdict.faults)
            if not sum(statuses.values()) % _TOLD:
                print(f"{sum(statuses.values())} files so far, {faulty} faulty", flush=True)
            if verdict.faults and options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{label.replace(':', '_')}{suffix}").write_bytes(content)
    counts = ", ".join(f"status {status}: {n}" for status, n in sorted(statuses.items()))
    print(
        f"{sum(statuses.values())} files ({counts}), at most {worst.seconds:.2f} s of processor "
        f"and {worst.bytes >> 20} MiB; at most {worst.wall:.2f} s by the clock of the {quiet} "
        f"files that found a processor idle; {faulty} faulty, {time.monotonic() - started:.0f} s"
    )
    tried = sum(statuses.values())
    return conclude(
        [
            (
                not faulty,
                f"{faulty} of {tried} files neither ran nor were refused in a sentence in time",
            ),
            (bool(tried), "no file was tried"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
