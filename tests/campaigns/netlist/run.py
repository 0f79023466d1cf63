"""Layers and the digits model on the synthesised ECP5 netlist, beside the golden model.

    python -m tests.campaigns.netlist.run [--digits N]

Every layer must be equal in every bit, and take the same cycles as on the emitted Verilog.
"""

import argparse
import sys
import time

from rowforge.demonstration import held_out_digits
from rowforge.running.compilation import Compiled, compile_model, digits_model
from rowforge.running.execution import run_once
from tests.campaigns.netlist.target import SMALL, netlist_target
from tests.support.missed import Condition, conclude

VARIANTS = {
    "synth_ecp5": (),
    "synth_ecp5 -no-rw-check": ("-no-rw-check",),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", type=int, default=2, help="digits on each netlist")
    arguments = parser.parse_args()
    network = compile_model(digits_model(), SMALL, keep_layers=True)
    assert network.kept is not None
    compiled = Compiled(network.kept, network.graph)
    images = held_out_digits().images[: arguments.digits]
    wanted = run_once(compiled, images, "rtl")
    conditions: list[Condition] = []
    for name, options in VARIANTS.items():
        started = time.monotonic()
        target = netlist_target(options=options)
        result = run_once(compiled, images, target)
        conditions += [
            (result.difference is None, f"{name}: {result.difference}"),
            (
                result.cycles == wanted.cycles,
                f"{name}: {result.cycles} cycles, {wanted.cycles} on the emitted Verilog",
            ),
        ]
        said = "equal in every bit" if result.difference is None else str(result.difference)
        print(
            f"{name}: {result.inputs} digits, {result.layers_checked} layers, {said}; "
            f"{result.cycles} cycles for the first, on the emitted Verilog {wanted.cycles}; "
            f"{time.monotonic() - started:.0f} s",
            flush=True,
        )
    return conclude(conditions)


if __name__ == "__main__":
    sys.exit(main())
