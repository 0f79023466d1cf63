"""The link campaign: `python -m tests.campaigns.link.run [--bytes N] [--seed S]`."""

import argparse
import sys
import time

from sim.framed_device import FramedDevice, Loopback
from sim.framed_rtl import FramedRtl, board_library
from tests.campaigns.link.campaign import PROFILES, campaign
from tests.support.missed import conclude

_WEIGHTS = {"clean": 1, "bit errors 1e-6": 6, "bit errors 1e-4": 6, "everything": 3}


def main() -> int:
    """Run every profile on the model and on the RTL; 1 if a byte was wrong or done twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=100_000_000, help="through the Python model")
    parser.add_argument("--rtl-bytes", type=int, default=10_000_000, help="through the gateware")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    weights = {name: _WEIGHTS.get(name, 1) for name in PROFILES}
    corrupted = repeated = total = 0
    for kind, size in (("model", args.bytes), ("rtl", args.rtl_bytes)):
        for name, faults in PROFILES.items():
            device = FramedDevice(Loopback())
            rtl = FramedRtl(board_library(None), seed=args.seed) if kind == "rtl" else None
            share = -(-size * weights[name] // sum(weights.values()))
            start = time.monotonic()
            outcome = campaign(rtl or device, faults, size=share, seed=f"{args.seed} {kind} {name}")
            seconds = time.monotonic() - start
            print(f"{kind:<5} {name:<15} {seconds:6.1f} s  {outcome}", flush=True)
            corrupted += outcome.corrupted
            repeated += outcome.repeated
            total += outcome.bytes
    print(f"{total:,} bytes, seed {args.seed}: {corrupted + repeated} wrong or twice")
    return conclude(
        [
            (not corrupted, f"{corrupted} words came back wrong and nobody noticed"),
            (not repeated, f"{repeated} operations were executed twice"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
