"""The C++ model as a shared library, compiled once and cached by content."""

import ctypes
import hashlib
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from hw.arch.errors import RowforgeError
from sim.cycles.records import records_header
from sim.verilator import cache_root, cxx, lock, place

_FOLDER = Path(__file__).with_name("model")
_FLAGS = ("-std=c++17", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra")


@cache
def model_library() -> ctypes.CDLL:
    """The loaded library, with its functions declared; `RowforgeError` if it cannot be built."""
    sources = {path.name: path.read_text() for path in sorted(_FOLDER.iterdir()) if path.is_file()}
    sources["records.h"] = records_header()
    digest = hashlib.sha256(repr((sources, _FLAGS, cxx(), _version())).encode()).hexdigest()
    library = cache_root() / "models" / digest / "model.so"
    with lock(library.parent):
        if not library.exists():
            place(library, _compile(sources), mode=0o755)
    return _bind(library)


def _version() -> str:
    try:
        said = subprocess.run([cxx(), "--version"], capture_output=True, text=True, check=True)
    except OSError as error:
        raise RowforgeError(
            f"the cycle model needs the program {cxx()}, which is not on the PATH"
        ) from error
    return said.stdout.splitlines()[0]


def _compile(sources: dict[str, str]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="rowforge-") as folder:
        work = Path(folder)
        for name, text in sources.items():
            (work / name).write_text(text)
        parts = [name for name in sources if name.endswith(".cpp")]
        command = [cxx(), *_FLAGS, "-o", "model.so", *parts]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True)
        if done.returncode:
            said = " ".join(done.stderr.split())[:600]
            raise RowforgeError(f"{cxx()} failed on the cycle model: {said}")
        return (work / "model.so").read_bytes()


def _bind(library: Path) -> ctypes.CDLL:
    bound = ctypes.CDLL(str(library))
    handle, number = ctypes.c_void_p, ctypes.c_int64
    bound.rowforge_model_create.restype = handle
    bound.rowforge_model_create.argtypes = [
        *(handle, handle, handle, handle, number),
        *(handle, number),
        *(handle, number),
        *(ctypes.c_int, ctypes.c_int),
    ]
    bound.rowforge_mesh_create.restype = handle
    bound.rowforge_mesh_create.argtypes = [
        *(handle, number),
        *(handle, number),
        *(handle, number),
        ctypes.c_int,
    ]
    bound.rowforge_mesh_add.restype = None
    bound.rowforge_mesh_add.argtypes = [handle, handle, handle, handle, number, ctypes.c_int]
    bound.rowforge_model_destroy.argtypes = [handle]
    bound.rowforge_model_advance.restype = ctypes.c_int
    bound.rowforge_model_advance.argtypes = [handle, number, ctypes.c_int]
    for name in ("cycles", "stepped", "blocks"):
        function = getattr(bound, f"rowforge_model_{name}")
        function.restype, function.argtypes = number, [handle]
    bound.rowforge_model_error.restype = ctypes.c_char_p
    bound.rowforge_model_error.argtypes = [handle]
    bound.rowforge_model_read.argtypes = [handle, handle]
    bound.rowforge_model_trace.restype = None
    bound.rowforge_model_trace.argtypes = [handle, number]
    bound.rowforge_model_trace_sizes.restype = None
    bound.rowforge_model_trace_sizes.argtypes = [handle, handle]
    bound.rowforge_model_trace_read.restype = None
    bound.rowforge_model_trace_read.argtypes = [handle] * 5
    _bind_replays(bound)
    return bound


def _bind_replays(bound: ctypes.CDLL) -> None:
    handle, number = ctypes.c_void_p, ctypes.c_int64
    bound.rowforge_replay_create.restype = handle
    bound.rowforge_replay_create.argtypes = [
        *(handle, handle, handle, handle, number),
        *(ctypes.c_int, handle),
        *(handle, handle, handle, handle, handle),
    ]
    bound.rowforge_replay_destroy.restype = None
    bound.rowforge_replay_destroy.argtypes = [handle]
    bound.rowforge_replay_advance.restype = ctypes.c_int
    bound.rowforge_replay_advance.argtypes = [handle, number]
    bound.rowforge_replay_cycles.restype = number
    bound.rowforge_replay_cycles.argtypes = [handle]
    bound.rowforge_replay_error.restype = ctypes.c_char_p
    bound.rowforge_replay_error.argtypes = [handle]
    bound.rowforge_replay_sizes.restype = bound.rowforge_replay_read.restype = None
    bound.rowforge_replay_sizes.argtypes = [handle, handle]
    bound.rowforge_replay_read.argtypes = [handle] * 3
