"""Broken model files: `python -m tests.damage.run --n 2000 --seed 1`.

Runs every hand-made kind and a number of seeded mutations through `rowforge run` on the golden
model. Exit status 1 if a file does anything but run or be refused in one sentence, within 5 s and
1 GB above the bare import. `--only SEED:NUMBER` or `--only KIND` repeats one; `--keep` saves it.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.damage.kinds import KINDS
from tests.damage.mutations import mutation
from tests.damage.sandbox import Verdict, run_on


def files(options: argparse.Namespace) -> Iterator[tuple[str, str, bytes]]:
    """(label, what was done, content) of every file that is asked for."""
    if options.only in KINDS:
        yield options.only, "hand-made", KINDS[options.only].content()
    elif options.only:
        seed, _, number = options.only.partition(":")
        yield options.only, *mutation(int(seed), int(number))
    else:
        for name, kind in KINDS.items():
            yield name, "hand-made", kind.content()
        for number in range(options.n):
            yield f"{options.seed}:{number}", *mutation(options.seed, number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.damage.run", description=__doc__)
    parser.add_argument("--n", type=int, default=2000, help="mutations (2000)")
    parser.add_argument("--seed", type=int, default=1, help="of the campaign (1)")
    parser.add_argument("--only", metavar="LABEL", help="repeat one file")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep faulty files here")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    statuses: Counter[int] = Counter()
    worst = Verdict(0, "", 0.0, 0)
    faulty = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        for label, done, content in files(options):
            path.write_bytes(content)
            verdict = run_on(path)
            statuses[verdict.status] += 1
            worst = Verdict(
                0,
                "",
                max(worst.seconds, verdict.seconds),
                max(worst.bytes, verdict.bytes),
            )
            if verdict.faults or options.only:
                print(f"{label} ({done}): {'; '.join(verdict.faults)} {verdict.said}", flush=True)
            faulty += bool(verdict.faults)
            if verdict.faults and options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{label.replace(':', '_')}.tflite").write_bytes(content)
    counts = ", ".join(f"status {status}: {n}" for status, n in sorted(statuses.items()))
    print(
        f"{sum(statuses.values())} files ({counts}), at most {worst.seconds:.2f} s and "
        f"{worst.bytes >> 20} MiB, {faulty} faulty, {time.monotonic() - started:.0f} s"
    )
    return int(bool(faulty) or not statuses)


if __name__ == "__main__":
    sys.exit(main())
