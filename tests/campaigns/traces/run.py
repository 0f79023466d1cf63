"""Traces of the RTL: `python -m tests.campaigns.traces.run --models DIR`.

Digits on `tiny` and ResNet-8 on `ulx3s_85f`, both with `control.access_counters`, are run on the
observed RTL: the sums of its trace must be its counters, and its slices those of the exact model.
Exit status 1 if something differs.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hw.arch.program import Program
from rowforge.configs import preset
from rowforge.running.compilation import compile_model, digits_model
from rowforge.running.inputs import drawn_input
from tests.campaigns.traces.compare import differences
from tests.support.missed import Condition, conclude

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, help=f"folder of {RESNET}; without it digits alone")
    options = parser.parse_args(arguments)
    conditions = list(compared(digits_model(), "tiny"))
    if options.models is not None:
        (model,) = options.models.rglob(RESNET)
        conditions += compared(model, "ulx3s_85f")
    return conclude(conditions)


if __name__ == "__main__":
    sys.exit(main())
