"""Streaming networks: `python -m tests.campaigns.streaming.run`.

200 consecutive steps of each network: the golden model must give what TensorFlow Lite Micro gives
at every step, and so must the command stream, executed without time, and the RTL. Exit status 1 if
one does not, or if a network's output hardly changes.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rowforge.configs import preset
from rowforge.running.compilation import compile_model
from rowforge.running.targets import GOLDEN, RTL
from tests.campaigns.streaming.networks import NETWORKS
from tests.campaigns.streaming.steps import Array, by_golden, by_interpreter, by_target
from tests.support.missed import Condition, conclude

STEPS = 200
LEAST_DISTINCT = 20  # outputs of so many steps


def differing(ours: Array, theirs: Array) -> list[int]:
    """The steps whose outputs are not equal."""
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    return [
        n for n, pair in enumerate(zip(ours, theirs, strict=True)) if (pair[0] != pair[1]).any()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.streaming.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of weights and frames (1)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of each network ({STEPS})")
    parser.add_argument("--preset", default="tiny", help="configuration (tiny)")
    parser.add_argument("--only", choices=sorted(NETWORKS), help="one network")
    options = parser.parse_args(arguments)
    conditions: list[Condition] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in [options.only] if options.only else sorted(NETWORKS):
            started = time.monotonic()
            stream = NETWORKS[name](options.seed, options.steps)
            path = Path(folder) / f"{name}.tflite"
            path.write_bytes(stream.content)
            compiled = compile_model(path, preset(options.preset))
            expected = by_interpreter(stream.content, stream.frames)
            engines = {
                "golden model": by_golden(compiled, stream.frames),
                "command stream": by_target(compiled, stream.frames, GOLDEN),
                "RTL": by_target(compiled, stream.frames, RTL),
            }
            for engine, outputs in engines.items():
                wrong = differing(outputs, expected)
                said = f"{name}, {engine}: {len(wrong)} of {len(expected)} steps differ"
                print(said + (f", first {wrong[0]}" if wrong else ""), flush=True)
                conditions.append((not wrong, said))
            distinct = len(np.unique(expected, axis=0))
            print(f"{name}: {distinct} outputs, {time.monotonic() - started:.0f} s", flush=True)
            least = min(LEAST_DISTINCT, len(expected) // 2)
            conditions.append((distinct >= least, f"{name} has {distinct} outputs, not {least}"))
    return conclude(conditions)


if __name__ == "__main__":
    sys.exit(main())
