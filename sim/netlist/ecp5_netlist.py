"""What yosys makes of an accelerator for the ECP5, as a library of the RTL simulator."""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.emit.yosys import run_yosys, yosys_version
from sim.link import TOP, accelerator_verilog
from sim.netlist.cells import cell_models
from sim.verilator import Build, build_library, cache_root, lock, place, sources_digest

_FLAGS = ("--x-assign", "unique")  # an undefined bit of the netlist is a random one


def synthesise(verilog: str, top: str, options: Sequence[str] = ()) -> str:
    """The ECP5 netlist of a design, as Verilog.

    Ports stay as they are. Nets become single bits of short names: vectors whose bits have nothing
    to do with each other look like combinational loops to Verilator, and long names cost time.

    Parameters
    ----------
    verilog : str
        The design, all modules.
    top : str
        Name of the top module.
    options : sequence of str
        Further options of yosys' `synth_ecp5`.
    """
    with tempfile.TemporaryDirectory(prefix="rowforge-") as name:
        folder = Path(name)
        (folder / "design.v").write_text(verilog)
        run_yosys(synthesis_script(top, options), folder)
        return (folder / "netlist.v").read_text()


def synthesis_script(top: str, options: Sequence[str] = ()) -> str:
    """What yosys is told; the design is in `design.v`, the netlist in `netlist.v`."""
    return f"""
        read_verilog design.v
        synth_ecp5 -top {top} {" ".join(options)}
        check -assert
        delete t:$scopeinfo
        splitnets
        rename -hide
        rename -enumerate -pattern n%
        write_verilog -noattr -noexpr netlist.v
    """


def cached_netlist(config: Config, options: Sequence[str] = ()) -> str:
    """The netlist of the accelerator of a configuration; synthesised only the first time."""
    identity = (
        sources_digest(),
        f"{config_hash(config):016x}",
        yosys_version(),
        synthesis_script(TOP, options),
    )
    path = cache_root() / "netlists" / f"{hashlib.sha256(repr(identity).encode()).hexdigest()}.v"
    with lock(path):
        if not path.exists():
            place(path, synthesise(accelerator_verilog(config), TOP, options).encode())
    return path.read_text()


def netlist_library(
    config: Config, *, options: Sequence[str] = (), models: str | None = None
) -> Path:
    """The simulation library of the synthesised accelerator; made only the first time.

    Parameters
    ----------
    config : Config
    options : sequence of str
        As for `synthesise`.
    models : str or None
        Verilog of the cells in place of `cell_models()`.
    """
    cells = cell_models() if models is None else models
    verilog = f"{cached_netlist(config, options)}\n{cells}"
    return build_library(verilog, Build(top=TOP, optimise="-O0", flags=_FLAGS))
