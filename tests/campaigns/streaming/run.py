"""Streaming networks: `python -m tests.campaigns.streaming.run`.

200 consecutive steps of each network: the golden model must give what TensorFlow Lite Micro gives
at every step, and so must the command stream, executed without time, and the RTL. Exit status 1 if
one does not, or if a network's output hardly changes. `--model` takes `.tflite` files in place of
the networks here, which get random inputs.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rowforge.configs import preset
from rowforge.running.compilation import compile_model
from rowforge.running.targets import GOLDEN, RTL
from tests.campaigns.streaming.networks import NETWORKS, Stream, stream_of
from tests.campaigns.streaming.steps import Array, by_golden, by_interpreter, by_target
from tests.support.missed import Condition, conclude

STEPS = 200
LEAST_DISTINCT = 20  # outputs of so many steps


def differing(ours: Array, theirs: Array) -> list[int]:
    """The steps whose outputs are not equal."""
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    rows = zip(ours, theirs, strict=True)
    return [number for number, (mine, wanted) in enumerate(rows) if (mine != wanted).any()]


def compared(name: str, stream: Stream, options: argparse.Namespace) -> Iterator[Condition]:
    """A network on every engine."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(stream.content)
        compiled = compile_model(path, preset(options.preset))
    expected, few = by_interpreter(stream.content, stream.frames), stream.frames[: options.rtl]
    engines = {
        "golden model": lambda: by_golden(compiled, stream.frames),
        "command stream": lambda: by_target(compiled, stream.frames, GOLDEN),
        "RTL": lambda: by_target(compiled, few, RTL),
    }
    for engine, run in engines.items():
        outputs = run()
        wrong = differing(outputs, expected[: len(outputs)])
        said = f"{name}, {engine}: {len(wrong)} of {len(outputs)} steps differ"
        print(said + (f", first {wrong[0]}" if wrong else ""), flush=True)
        yield not wrong, said
    distinct = len(np.unique(expected, axis=0))
    print(f"{name}: {distinct} outputs", flush=True)
    if name in NETWORKS:
        least = min(LEAST_DISTINCT, len(expected) // 2)
        yield distinct >= least, f"{name} has {distinct} outputs, not {least}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.streaming.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of weights and frames (1)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of each network ({STEPS})")
    parser.add_argument("--rtl", type=int, help="of them on the RTL (all)")
    parser.add_argument("--preset", default="tiny", help="configuration (tiny)")
    parser.add_argument("--only", choices=sorted(NETWORKS), help="one network")
    parser.add_argument("--model", type=Path, nargs="+", help="model files of one input")
    options = parser.parse_args(arguments)
    conditions: list[Condition] = []
    started = time.monotonic()
    if options.model:
        for path in options.model:
            stream = stream_of(path.read_bytes(), options.seed, options.steps)
            conditions += compared(path.stem, stream, options)
    else:
        for name in [options.only] if options.only else sorted(NETWORKS):
            stream = NETWORKS[name](options.seed, options.steps)
            conditions += compared(name, stream, options)
    print(f"{time.monotonic() - started:.0f} s")
    return conclude(conditions)


if __name__ == "__main__":
    sys.exit(main())
