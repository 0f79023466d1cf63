"""The C runtime beside the Python driver: `python -m tests.campaigns.c_runtime.run --n 60`.

Five parts, the first four with sanitisers:

1. every recorded model on a preset, by a pipe to the executor: outputs equal in every bit; host
   steps that the runtime has not are the user's, and without these the program is refused by name;
2. random networks of `make fuzz-network`, by a pipe, a stand-in of the AXI wrapper, frames over a
   bad line, from a file, from the board's memory and past it;
3. faulty programs with a fitting checksum, none of which leads the runtime out of its bounds;
4. the runtime without one of its checks, which the third part must find;
5. the exported folder by clang for other processors, without a warning.

Exit status 1 if something is missed.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Sequence

from tests.campaigns.c_runtime.compare import WAYS
from tests.campaigns.c_runtime.compilers import TARGETS, compile_for
from tests.campaigns.c_runtime.faults import MISSING_CHECKS, run_damaged
from tests.campaigns.c_runtime.networks import random_network
from tests.campaigns.c_runtime.recorded import run_recorded
from tests.campaigns.models.driver import LARGE, models
from tests.support.missed import Condition, conclude

PARTS = ("models", "networks", "damage", "compilers")

_ENOUGH = 40  # networks from which on each feature must have been seen
_FEATURES = (
    *(f"way {way.name}" for way in WAYS),
    *(f"memory {kind}" for kind in ("stream", "ram", "sdram", "axi")),
    "coding mask",
    "elements 16 bits",
    "steps of the user's",
    "a LOAD after a host step",
)


def _recorded(name: str, only: str | None, inputs: int) -> list[Condition]:
    chosen = [m for m in models() if (only or "") in m.name]
    findings = []
    for model in chosen:
        findings.append(run_recorded(model, name, 1 if model.name == LARGE else inputs))
        print(findings[-1], flush=True)
    wrong = [finding.model for finding in findings if finding.wrong]
    print(f"{len(findings)} recorded models by the C runtime ({name})")
    return [
        (not wrong, f"{len(wrong)} models differ: {', '.join(wrong)}"),
        (bool(findings), f"no model was run (--only {only})"),
    ]


def _networks(seed: int, count: int) -> list[Condition]:
    findings = []
    for number in range(count):
        findings.append(random_network(seed, number))
        print(findings[-1], flush=True)
    shown = Counter(name for finding in findings for name in finding.shown)
    wrong = [finding.label for finding in findings if finding.wrong]
    print(f"{len(findings)} networks of seed {seed}: {dict(sorted(shown.items()))}")
    absent = [name for name in _FEATURES if not shown[name]]
    return [
        (not wrong, f"{len(wrong)} networks differ: {', '.join(wrong)}"),
        (count < _ENOUGH or not absent, f"never seen: {', '.join(absent)}"),
    ]


def _damage(seed: int, count: int) -> list[Condition]:
    found = run_damaged(seed, count)
    print(f"faulty programs of seed {seed}: {found.said}", flush=True)
    missed = []
    for fault in MISSING_CHECKS:
        without = run_damaged(seed, count, fault)
        print(f"{fault.name}: {'not found' if without.sound else 'found'}", flush=True)
        if without.sound:
            missed.append(fault.name)
    return [
        (found.sound, f"faulty programs: {found.said}"),
        (not missed, f"{len(missed)} checks are left out unseen: {'; '.join(missed)}"),
    ]


def _compilers() -> list[Condition]:
    found = [compile_for(target) for target in TARGETS]
    for each in found:
        print(f"clang for {each.target}: {each.said or 'compiled'}", flush=True)
    wrong = [each.target for each in found if each.said]
    return [(not wrong, f"not compiled for {', '.join(wrong)}")]


def _parts(text: str) -> tuple[str, ...]:
    """Names of parts, separated by commas."""
    for name in text.split(","):
        if name not in PARTS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PARTS)}")
    return tuple(text.split(","))


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.c_runtime.run", description=__doc__)
    parser.add_argument("--n", type=int, default=60, help="random networks (default: 60)")
    parser.add_argument("--damaged", type=int, default=20_000, help="faulty programs of each kind")
    parser.add_argument("--inputs", type=int, default=2, help="inputs of each recorded model")
    parser.add_argument("--preset", default="tiny", help="of the recorded models")
    parser.add_argument("--only", metavar="TEXT", help="recorded models whose name contains this")
    parser.add_argument(
        "--parts", type=_parts, default=PARTS, help=f"some of {','.join(PARTS)} (default: all)"
    )
    parser.add_argument("--seed", type=int)
    options = parser.parse_args(arguments)
    seed = random.randrange(1 << 30) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    parts = options.parts
    conditions: list[Condition] = []
    if "models" in parts:
        conditions += _recorded(options.preset, options.only, options.inputs)
    if "networks" in parts:
        conditions += _networks(seed, options.n)
    if "damage" in parts:
        conditions += _damage(seed, options.damaged)
    if "compilers" in parts:
        conditions += _compilers()
    return conclude(conditions)


if __name__ == "__main__":
    sys.exit(main())
