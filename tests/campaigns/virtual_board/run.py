"""Networks on the virtual board: `python -m tests.campaigns.virtual_board.run [--preset P]`."""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rowforge.cli import main as rowforge
from rowforge.running.compilation import digits_model
from tests.support.missed import Condition, conclude
from tests.support.workloads import ROOT

LINES = (("--pty",), ("--tcp", "0"))
NETWORKS = ("pretrainedResnet_quant", "kws_ref_model")


@contextmanager
def served(preset: str, line: tuple[str, ...]) -> Iterator[str]:
    """A virtual board in a process of its own; yields its URL."""
    command = [sys.executable, "-m", "rowforge", "serve", "--preset", preset, *line]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)
            print(process.stdout.read().strip())


def models() -> list[Path]:
    """The shipped model, and the reference networks if they are there."""
    found = [ROOT / "mlperf_tiny" / f"{name}.tflite" for name in NETWORKS]
    return [digits_model(), *(path for path in found if path.exists())]


def main() -> int:
    """Run every network over every line, each layer against the golden model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="tiny")
    preset = parser.parse_args().preset
    if len(models()) == 1:
        print("only the shipped model: the reference networks are not here")
    conditions: list[Condition] = []
    for line in LINES:
        with served(preset, line) as url:
            for command in (
                ["selftest"],
                *(["run", str(path), "--check"] for path in models()),
            ):
                start = time.monotonic()
                failed = rowforge([*command, "--target", url])
                print(f"{url}: {' '.join(command)}: {time.monotonic() - start:.1f} s, {failed}\n")
                said = f"{' '.join(command)} over {line[0]} ended with status {failed}"
                conditions.append((not failed, said))
    return conclude(conditions)


if __name__ == "__main__":
    sys.exit(main())
