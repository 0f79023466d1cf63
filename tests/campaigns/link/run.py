"""The link campaign: `python -m tests.campaigns.link.run [--bytes N] [--seed S]`.

Words go through the driver and a faulty line to a device that sends them back, in Python and in
RTL; then WRITE, READ and RUN go to a replayer with a memory.
"""

import argparse
import sys
import time

from sim.framed_device import FramedDevice, Loopback
from sim.framed_rtl import FramedRtl, board_library
from tests.campaigns.link.campaign import PROFILES, campaign
from tests.campaigns.link.memory import CountingBoard, memory_campaign
from tests.support.missed import conclude

_WEIGHTS = {"clean": 1, "bit errors 1e-6": 6, "bit errors 1e-4": 6, "everything": 3}


def main() -> int:
    """Run every profile on the model and on the RTL; 1 if a byte was wrong or done twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=100_000_000, help="through the Python model")
    parser.add_argument("--rtl-bytes", type=int, default=10_000_000, help="through the gateware")
    parser.add_argument(
        "--memory-bytes", type=int, default=100_000_000, help="to a memory in Python behind it"
    )
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    weights = {name: _WEIGHTS.get(name, 1) for name in PROFILES}
    corrupted = repeated = total = 0
    sizes = {"model": args.bytes, "rtl": args.rtl_bytes, "memory": args.memory_bytes}
    for kind, size in sizes.items():
        for name, faults in PROFILES.items():
            device = FramedDevice(Loopback())
            rtl = FramedRtl(board_library(None), seed=args.seed) if kind == "rtl" else None
            share = -(-size * weights[name] // sum(weights.values()))
            start = time.monotonic()
            seed = f"{args.seed} {kind} {name}"
            if kind == "memory":
                outcome = memory_campaign(CountingBoard(), faults, size=share, seed=seed)
            else:
                outcome = campaign(rtl or device, faults, size=share, seed=seed)
            seconds = time.monotonic() - start
            print(f"{kind:<6} {name:<15} {seconds:6.1f} s  {outcome}", flush=True)
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
