"""Makes what tests share and what one process alone can make: `python -m tests.warm_up`.

Two first starts of YoWASP's yosys at once would both translate it, and read a file half written;
for the cycle model's library every other process would wait. `tools` needs only the package itself
and its extra `prove`, so that it runs while the tests' own packages are installed; `runtime` needs
those.
"""

import compileall
import importlib
import os
import sys

from amaranth.back.verilog import find_yosys

from hw.emit.yosys import yosys_version
from sim.cycles.library import model_library
from tests.support.packages import SHIPPED, UNSHIPPED


def tools() -> None:
    """Translate both yosys for this machine, compile the cycle model and the project's modules."""
    print(yosys_version())
    print(find_yosys(lambda version: version >= (0, 40)).run(["-V"]).strip())
    model_library()
    for package in (*SHIPPED, *UNSHIPPED):
        compileall.compile_dir(package, quiet=1)


def runtime() -> None:
    """Compile the C runtime."""
    build = importlib.import_module("tests.support.c_runtime.build")  # imports pytest
    build.harness()
    for program in (build.DAMAGE, build.LATE_TRANSFER, build.STUFF):
        build.compiled(*program)


PARTS = {"tools": tools, "runtime": runtime}


def main(parts: list[str]) -> None:
    """Make the parts that are named, else all."""
    for part in parts or PARTS:
        PARTS[part]()


if __name__ == "__main__":
    os.setpgid(0, 0)  # so that `make test` ends compilers, too, when it ends early
    main(sys.argv[1:])
