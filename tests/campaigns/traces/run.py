"""Traces of the RTL: `python -m tests.campaigns.traces.run --models DIR`.

Digits on `tiny` and ResNet-8 on `ulx3s_85f`, both with `control.access_counters`, are run on the
observed RTL: the sums of its trace must be its counters, and its slices those of the exact model.
With `--n`, so do random layers, each on a random configuration. Exit status 1 if something differs,
or if fewer layers ran than were asked for.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hw.arch.errors import RowforgeError
from hw.arch.program import Program, Query
from rowforge.configs import preset
from rowforge.running.compilation import compile_model, digits_model
from rowforge.running.inputs import drawn_input
from rowforge.tracing.rtl import check_observed
from tests.campaigns.contract.compare import compiled, reads_other_lanes
from tests.campaigns.fuzz.cases import CASES, make_case
from tests.campaigns.traces.compare import differences
from tests.support.missed import Condition, conclude

_MOST_TRIES = 5  # configurations that are looked at for each layer that runs
RESNET = "pretrainedResnet_quant.tflite"


def program_of(model: Path, name: str) -> Program:
    """The program of a model for a preset that counts every access."""
    config = preset(name).with_values({"control.access_counters": True})
    return compile_model(str(model), config).program


def compared(model: Path, name: str) -> Iterator[Condition]:
    """Whether there is no difference; what is one is said."""
    program = program_of(model, name)
    found = list(differences(program, drawn_input(program)))
    print(f"{model.name} on {name}: {len(found)} differences", flush=True)
    yield from ((False, f"{model.name}: {said}") for said in found)


def of_random_layers(seed: int, count: int) -> Iterator[Condition]:
    """The fuzzer's cases, one for each configuration that can be observed and compiles."""
    ran = 0
    for number in range(_MOST_TRIES * count):
        if ran == count:
            break
        try:
            case = make_case(seed, number * CASES)
            program = compiled(case)
            check_observed("--trace", program.config)
        except RowforgeError:
            continue
        layers = range(len(program.layers))
        skips = program.config.pe.kind == "skipping"
        asked = any(isinstance(step, Query) for step in program.steps)  # else the host does it all
        if not asked or skips and any(reads_other_lanes(program, i) for i in layers):
            continue
        ran += 1
        found = list(differences(program, case.inputs[0], optimise="-O0"))
        print(f"{seed}:{case.index}: {len(found)} differences", flush=True)
        yield from ((False, f"{seed}:{case.index}: {said}") for said in found)
    yield ran == count, f"{ran} random layers ran, {count} asked for"


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, help=f"folder of {RESNET}; without it digits alone")
    parser.add_argument("--n", type=int, default=0, help="random layers")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    found = [] if options.models is None else list(options.models.rglob(RESNET))
    if options.models is not None and len(found) != 1:
        parser.error(f"--models must name a folder with one {RESNET}, not {len(found)}")
    conditions = list(compared(digits_model(), "tiny"))
    if options.models is not None:
        conditions += compared(found[0], "ulx3s_85f")
    conditions += of_random_layers(options.seed, options.n)
    return conclude(conditions)


if __name__ == "__main__":
    sys.exit(main())
