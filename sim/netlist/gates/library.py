"""The simulation of a netlist as a library that `sim.rtl.RtlEngine` loads."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from hw.arch.errors import RowforgeError
from sim.netlist.gates.design import GateDesign
from sim.verilator import HARNESS, cache_root, cxx, lock, place, port_names

_ENGINE = Path(__file__).with_name("engine")
_FLAGS = ("-std=c++17", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-DROWFORGE_VIOLATIONS")
_WORD = (1 << 64) - 1


def gate_library(design: GateDesign) -> Path:
    """The library of a netlist, made only the first time.

    It knows where the netlist lies, which is beside it. Raises `RowforgeError` if the compiler is
    absent or fails.
    """
    # Tables have 64 bits, and an absent net is negative.
    data = np.array([number & _WORD for number in design.numbers()], dtype=np.uint64)
    sources = [HARNESS, *sorted(_ENGINE.iterdir())]
    texts = [path.read_text() for path in sources if path.is_file()]
    digest = hashlib.sha256(repr((texts, _FLAGS, cxx())).encode() + data.tobytes()).hexdigest()
    library = cache_root() / "gates" / digest / "gates.so"
    with lock(library.parent):
        if not library.exists():
            netlist = library.with_name("netlist.bin")
            place(netlist, data.tobytes())
            place(library, _compile(netlist), mode=0o755)
    return library


def _compile(netlist: Path) -> bytes:
    with tempfile.TemporaryDirectory(prefix="rowforge-") as name:
        work = Path(name)
        for path in (HARNESS, *_ENGINE.iterdir()):
            if path.is_file():
                shutil.copy(path, work)
        (work / "harness_ports.h").write_text(port_names("cmd", "result"))
        place_of = str(netlist).replace("\\", "\\\\").replace('"', '\\"')
        (work / "netlist_file.h").write_text(f'constexpr char kNetlistFile[] = "{place_of}";\n')
        parts = sorted(path.name for path in work.glob("*.cpp"))
        command = [cxx(), *_FLAGS, "-I.", "-o", "gates.so", *parts]
        try:
            done = subprocess.run(command, cwd=work, capture_output=True, text=True)
        except OSError as error:
            raise RowforgeError(
                f"the simulation of a netlist needs the program {cxx()}, which is not on the PATH"
            ) from error
        if done.returncode:
            said = " ".join(done.stderr.split())[:600]
            raise RowforgeError(f"{cxx()} failed on the simulation of a netlist: {said}")
        return (work / "gates.so").read_bytes()
