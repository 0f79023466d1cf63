"""Array files: `.npy` for one tensor, `.npz` for several by name; written whole or not at all."""

import os
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hw.arch.errors import RowforgeError

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = Array | dict[str, Array]

_MAGIC = b"\x93NUMPY"
_DAMAGE = (
    ValueError,
    EOFError,
    SyntaxError,
    MemoryError,
    RecursionError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
)


def read_arrays(path: Path) -> Arrays:
    """The array of a `.npy` file, or the arrays of a `.npz` file by name.

    Raises `RowforgeError` for a file that is missing, damaged, or holds Python objects.
    """
    if path.suffix not in (".npy", ".npz"):
        raise RowforgeError(f"an input file's name must end in .npy or .npz, not '{path}'")
    try:
        with path.open("rb") as file:
            if path.suffix == ".npy":
                return _read_array(file, path.stat().st_size)
            with zipfile.ZipFile(file) as archive:
                return {
                    member.filename.removesuffix(".npy"): _read_member(archive, member)
                    for member in archive.infolist()
                }
    except OSError as error:
        raise RowforgeError(f"cannot read {path}: {error.strerror or error}") from None
    except _DAMAGE as error:
        raise RowforgeError(f"{path} is not a usable array file: {error}") from None


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    with archive.open(member) as file:
        return _read_array(file, member.file_size)


def _read_array(file: IO[bytes], size: int) -> Array:
    """One array in NumPy's format, its header held against the bytes that there are."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("it does not begin as a NumPy array does")
    file.seek(0)
    version = np.lib.format.read_magic(file)
    read_header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize > size:
        raise ValueError(f"it is too short for an array of shape {shape}")
    file.seek(0)
    return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def check_output(path: Path, tensors: int) -> None:
    """Refuse a path that could not take so many tensors, before any work is done."""
    allowed = (".npy", ".npz") if tensors == 1 else (".npz",)
    if path.suffix not in allowed:
        raise RowforgeError(
            f"an output file for {tensors} tensor{'s' if tensors > 1 else ''} must have a name "
            f"that ends in {' or '.join(allowed)}, not '{path}'"
        )
    check_writable(path)


def check_writable(path: Path) -> None:
    """Refuse a file that cannot be made where it is wanted."""
    folder = path.parent
    if path.is_dir():
        raise RowforgeError(f"cannot write {path}: it is a folder")
    if not folder.is_dir():
        raise RowforgeError(f"cannot write {path}: {folder} is not a folder")
    if not os.access(folder, os.W_OK):
        raise RowforgeError(f"cannot write {path}: permission denied")


def check_folder(path: Path) -> None:
    """Refuse a folder that cannot be made or written, before any work is done."""
    existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not existing.is_dir():
        raise RowforgeError(f"cannot write {path}: {existing} is not a folder")
    if not os.access(existing, os.W_OK):
        raise RowforgeError(f"cannot write {path}: permission denied")


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays: `.npz` by name, `.npy` the only one; `RowforgeError` if that fails."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as file:
            _write(file, path.suffix, arrays)
        partial.replace(path)
    except OSError as error:
        raise RowforgeError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        partial.unlink(missing_ok=True)


def _write(file: BinaryIO, suffix: str, arrays: Mapping[str, Array]) -> None:
    if suffix != ".npz":
        (array,) = arrays.values()
        np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
        return
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
