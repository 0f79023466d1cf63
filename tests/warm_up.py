"""Makes what tests share and what one process alone can make: `python -m tests.warm_up`.

Two first starts of YoWASP's yosys at once would read a file half written; for the cycle model's
library every other process would wait.
"""

from hw.emit.yosys import yosys_version
from sim.cycles.library import model_library


def main() -> None:
    """Translate yosys for this machine, and compile the cycle model."""
    print(yosys_version())
    model_library()


if __name__ == "__main__":
    main()
