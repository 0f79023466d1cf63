"""Prove the properties of presets and random configurations; with --mutants, find mistakes.

Each distinct block is proven once. Status 1 if a property fails, is not decided, or does not notice
a mistake in its block.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from hw.properties.catalogue import properties_of
from rowforge.configs import preset
from rowforge.proving.campaign import ProvenProperty, designs, prove_all
from rowforge.proving.report import failures, proof_table, write_report
from rowforge.proving.solver import Proof, ProofVerdict, check_tools, prove
from tests.campaigns.proofs.configs import drawn, presets
from tests.campaigns.proofs.mutants import MUTANTS
from tests.support.missed import conclude

WAVES = Path("build/proofs")
# The second one has a memory, and so its arbiter; the PEs of the third one skip zeros.
_DESIGNS = ("tiny", "tang_nano_20k_sdram", "eyeriss_v2")


def mutant_proof(name: str, *, seconds: float) -> Proof:
    """What becomes of a property of a preset whose block has its mistake.

    Of several blocks the first one that shows it counts.
    """
    for design in _DESIGNS:
        found = properties_of(designs([preset(design)]))
        if demands := [one for one in found if type(one).__name__ == name]:
            break
    for demand in demands:
        with MUTANTS[name].applied():
            proof = prove(demand, seconds=seconds)
        if proof.verdict is ProofVerdict.WRONG:
            break
    return proof


def main() -> int:
    """Run; the status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=10, help="random configurations beside presets")
    parser.add_argument("--seed", type=int, default=19)
    parser.add_argument("--seconds", type=float, default=120, help="limit for each block")
    parser.add_argument("--mutants", action="store_true", help="mistakes must be found, instead")
    parser.add_argument("-o", "--output", type=Path, help="results as JSON")
    args = parser.parse_args()
    check_tools()
    if args.mutants:
        return conclude(_mutants(args.seconds))
    started = time.monotonic()
    proven: list[ProvenProperty] = []
    tops = designs([*presets(), *drawn(args.n, args.seed)])
    print(f"seed {args.seed}")
    for one in prove_all(tops, seconds=args.seconds, folder=WAVES):
        proven.append(one)
        print(f"{one.demand.number:2} {one.demand.subject}: {one.proof.verdict.value}", flush=True)
    print(proof_table(proven), *failures(proven), sep="\n")
    if args.output is not None:
        took = round(time.monotonic() - started)
        write_report(args.output, proven, seed=args.seed, random=args.n, seconds=took)
    return conclude(
        (one.proof.holds, f"{one.demand.subject}: {one.proof.verdict.value}") for one in proven
    )


def _mutants(seconds: float) -> Iterator[tuple[bool, str]]:
    for name in MUTANTS:
        proof = mutant_proof(name, seconds=seconds)
        print(
            f"{name}: {proof.verdict.value}: {proof.sentence} ({proof.seconds:.1f} s)", flush=True
        )
        yield proof.verdict is ProofVerdict.WRONG, f"the mistake for {name}"


if __name__ == "__main__":
    sys.exit(main())
