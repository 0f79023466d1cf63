"""Makes what tests share and what one process alone can make: `python -m tests.warm_up`.

Two first starts of YoWASP's yosys at once would read a file half written; for the cycle model's
library every other process would wait.
"""

from hw.emit.yosys import yosys_version
from sim.cycles.library import model_library
from tests.support.c_runtime.build import DAMAGE, LATE_TRANSFER, STUFF, compiled, harness


def main() -> None:
    """Translate yosys for this machine, compile the cycle model and the C runtime."""
    print(yosys_version())
    model_library()
    harness()
    for program in (DAMAGE, LATE_TRANSFER, STUFF):
        compiled(*program)


if __name__ == "__main__":
    main()
