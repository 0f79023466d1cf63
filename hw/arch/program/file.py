"""Program files (`.rfp`): a zip of a JSON manifest and raw little-endian arrays.

    manifest.json       versions, configuration, tensors, layers, steps, and a digest of each array
    manifest.sha256     digest of the manifest
    stream.bin          the words of all steps, 64 bits each
    memory.bin          what the weight memory must hold, 64-bit words
    constants/N.bin     host constant, or what a state holds at first: tensor N

Members are stored, not compressed: the file is the same bytes for the same program with any zlib,
and its size bounds what a reader has to allocate. Nothing in it is executable.
"""

import hashlib
import json
import os
import warnings
import zipfile
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hw.arch.commands import COMMAND_SET_VERSION, MAGIC
from hw.arch.config import Config
from hw.arch.config.file import RECOMPILE, config_hash, differences
from hw.arch.errors import RowforgeError
from hw.arch.program.document import (
    MAX_WORDS,
    Document,
    program_document,
    read_dtype,
    read_layer,
    read_shape,
    read_states,
    read_step,
    read_tensor,
)
from hw.arch.program.program import Host, Program, TensorSpec, Words
from hw.arch.version import version_text

FORMAT = "rowforge program"
FORMAT_VERSION = 7
"""2 brought memory.bin; from 3 on no command relies on the fence of a query; 4: a configuration
has sections; 6: layers count what was removed of them, and the host may put it back; 7: a
program may have states."""

_MANIFEST, _DIGEST, _STREAM = "manifest.json", "manifest.sha256", "stream.bin"
_MEMORY = "memory.bin"
_MAX_FILE = 1 << 32
_MAX_MANIFEST = 1 << 26
_MAX_MEMBERS = 1 << 16
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's earliest time: files do not depend on the clock
_UNIX, _PLAIN_FILE = 3, 0o100644 << 16


# ---- save -------------------------------------------------------------------------------------


def save_program(program: Program, path: Path) -> None:
    """Write a program file, whole or not at all; `RowforgeError` if it cannot be written."""
    members = _array_members(program)
    manifest = _manifest(program, members)
    try:
        text = json.dumps(manifest, indent=1, allow_nan=False, sort_keys=True).encode()
    except (TypeError, ValueError) as error:
        raise RowforgeError(f"program {program.name} cannot be written as JSON: {error}") from None
    members = {
        _MANIFEST: text,
        _DIGEST: hashlib.sha256(text).hexdigest().encode(),
        **members,
    }
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for name, data in members.items():
                    archive.writestr(_member_info(name), data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise RowforgeError(f"cannot write program {path}: {error}") from None
    finally:
        partial.unlink(missing_ok=True)


def _member_info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = _UNIX
    info.external_attr = _PLAIN_FILE
    return info


def _array_members(program: Program) -> dict[str, bytes]:
    parts = [_image(step.words) for step in program.steps if not isinstance(step, Host)]
    members = {_STREAM: b"".join(parts), _MEMORY: _image(program.memory)}
    for tensor, array in sorted(program.constants.items()):
        members[_constant_name(tensor)] = _image(array)
    return members


def _image(array: NDArray[Any]) -> bytes:
    return array.astype(array.dtype.newbyteorder("<")).tobytes()


def _constant_name(tensor: int) -> str:
    return f"constants/{tensor}.bin"


def _manifest(program: Program, members: dict[str, bytes]) -> dict[str, Any]:
    constants = [
        {"tensor": int(tensor), "dtype": str(array.dtype), "shape": list(array.shape)}
        for tensor, array in sorted(program.constants.items())
    ]
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "command_set": COMMAND_SET_VERSION,
        "generator": version_text(),
        "configuration": program.config.as_dict(),
        "configuration_hash": f"{config_hash(program.config):016x}",
        "program": program_document(program),
        "constants": constants,
        "members": {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in members.items()
        },
    }


# ---- load -------------------------------------------------------------------------------------


def load_program(path: Path, expected: Config | None = None) -> Program:
    """Read and check a program file.

    Parameters
    ----------
    path : Path
    expected : Config, optional
        The configuration that the program is to run on.

    Raises
    ------
    RowforgeError
        For a file that is missing, damaged, of another version, or made for a configuration that
        differs from `expected` (the message names every field).

    Warns
    -----
    UserWarning
        If another version of the generator wrote the file.
    """
    members = _read_members(path)
    manifest = _read_manifest(path, members)
    _check_versions(path, manifest)
    config = _read_config(path, manifest, expected)
    _check_members(path, manifest, members)
    program = _read_program(path, manifest, config, members)
    generator = manifest.text("generator")
    if generator != version_text():
        warnings.warn(
            f"{path} was made by version {generator} of the generator, "
            f"this is version {version_text()}",
            stacklevel=2,
        )
    return program


def _refuse(path: Path, reason: str) -> NoReturn:
    raise RowforgeError(f"{path} is not a usable program file: {reason}")


def _read_members(path: Path) -> dict[str, bytes]:
    """All members; sizes are checked before anything is read."""
    try:
        if path.stat().st_size > _MAX_FILE:
            _refuse(path, f"it is larger than {_MAX_FILE} bytes")
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if len({info.filename for info in infos}) != len(infos) or len(infos) > _MAX_MEMBERS:
                _refuse(path, "it has too many members, or two of one name")
            if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
                _refuse(path, "its members must be stored, not compressed")
            if sum(info.file_size for info in infos) > path.stat().st_size:
                _refuse(path, "its members claim to be larger than the file")
            return {info.filename: archive.read(info) for info in infos}
    except RowforgeError:
        raise
    except (OSError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        _refuse(path, str(error))
    except (RuntimeError, ValueError, IndexError) as error:  # encrypted, or garbage in a header
        _refuse(path, f"damaged zip structure ({error})")


def _read_manifest(path: Path, members: dict[str, bytes]) -> Document:
    text = members.get(_MANIFEST)
    digest = members.get(_DIGEST)
    if text is None or digest is None:
        _refuse(path, f"it has no {_MANIFEST} or no {_DIGEST}")
    if len(text) > _MAX_MANIFEST:
        _refuse(path, f"its manifest is larger than {_MAX_MANIFEST} bytes")
    if hashlib.sha256(text).hexdigest().encode() != digest:
        _refuse(path, f"{_MANIFEST} does not have the digest of {_DIGEST}")
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        _refuse(path, f"its manifest is not JSON ({error})")
    return Document(document, _MANIFEST)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _check_versions(path: Path, manifest: Document) -> None:
    if manifest.values.get("format") != FORMAT:
        _refuse(path, f"its manifest does not say {FORMAT!r}")
    for name, ours in (("format_version", FORMAT_VERSION), ("command_set", COMMAND_SET_VERSION)):
        theirs = manifest.integer(name, 0, 1 << 31)
        if theirs != ours:
            _refuse(path, f"{name} must be {ours}, not {theirs}; compile the model again")


def _read_config(path: Path, manifest: Document, expected: Config | None) -> Config:
    config = Config.from_dict(manifest.object("configuration").values)
    if manifest.text("configuration_hash") != f"{config_hash(config):016x}":
        _refuse(path, "the hash of its configuration does not fit the configuration")
    if expected is not None and config_hash(expected) != config_hash(config):
        raise RowforgeError(
            f"{path} was compiled for another configuration: "
            + "; ".join(differences(expected, config))
            + f"; {RECOMPILE}"
        )
    return config


def _check_members(path: Path, manifest: Document, members: dict[str, bytes]) -> None:
    declared = manifest.object("members")
    if set(declared.values) != set(members) - {_MANIFEST, _DIGEST}:
        _refuse(path, "its members are not those that the manifest names")
    for name in declared.values:
        entry = declared.object(name)
        data = members[name]
        if entry.integer("size", 0, _MAX_FILE) != len(data):
            _refuse(path, f"{name} must have {entry.values['size']} bytes, not {len(data)}")
        if entry.text("sha256") != hashlib.sha256(data).hexdigest():
            _refuse(path, f"{name} does not have the digest that the manifest names")


def _read_program(
    path: Path, manifest: Document, config: Config, members: dict[str, bytes]
) -> Program:
    document = manifest.object("program")
    tensors = tuple(read_tensor(entry) for entry in document.objects("tensors"))
    layers = tuple(read_layer(entry, len(tensors)) for entry in document.objects("layers"))
    stream = _Stream(path, members.get(_STREAM, b""))
    steps = tuple(
        read_step(entry, tensors, len(layers), stream.take) for entry in document.objects("steps")
    )
    stream.finish()
    constants = _read_constants(path, manifest.objects("constants"), tensors, members)
    return Program(
        config=config,
        name=document.text("name"),
        tensors=tensors,
        inputs=document.integers("inputs", 0, len(tensors) - 1),
        outputs=document.integers("outputs", 0, len(tensors) - 1),
        steps=steps,
        layers=layers,
        constants=constants,
        rounding=document.text("rounding"),
        memory=_read_memory(path, config, members.get(_MEMORY, b"")),
        states=read_states(document.objects("states"), tensors, constants),
    )


def _read_memory(path: Path, config: Config, data: bytes) -> Words:
    clusters = config.clusters.count
    most = clusters * config.buffer.weight_memory
    if len(data) % (8 * clusters) or len(data) > most:
        each = " for each cluster" if clusters > 1 else ""
        _refuse(path, f"{_MEMORY} must be at most {most} bytes in whole words{each}")
    return np.frombuffer(data, dtype="<u8").astype(np.uint64)


class _Stream:
    """The words of the steps, taken one step after the other."""

    def __init__(self, path: Path, data: bytes):
        if len(data) % 8 or len(data) // 8 > MAX_WORDS:
            _refuse(path, f"{_STREAM} must be at most {MAX_WORDS} whole 64-bit words")
        self._path = path
        self._words = np.frombuffer(data, dtype="<u8").astype(np.uint64)
        self._position = 0
        if len(self._words) and int(self._words[0]) != MAGIC:
            _refuse(path, f"{_STREAM} does not start as a command stream")

    def take(self, count: int) -> Words:
        """The next words."""
        end = self._position + count
        if end > len(self._words):
            _refuse(self._path, f"{_STREAM} is shorter than its steps")
        part = self._words[self._position : end]
        self._position = end
        return part

    def finish(self) -> None:
        """Check that no words are left."""
        if self._position != len(self._words):
            _refuse(self._path, f"{_STREAM} is longer than its steps")


def _read_constants(
    path: Path,
    entries: list[Document],
    tensors: tuple[TensorSpec, ...],
    members: dict[str, bytes],
) -> dict[int, NDArray[Any]]:
    """The values of every constant, of the type and the size of its tensor; each tensor once."""
    constants: dict[int, NDArray[Any]] = {}
    for entry in entries:
        tensor = entry.integer("tensor", 0, len(tensors) - 1)
        if tensor in constants:
            _refuse(path, f"{entry.place}.tensor must be another than those before, not {tensor}")
        constants[tensor] = _read_constant(
            path, entry, tensors[tensor], _constant_name(tensor), members
        )
    return constants


def _read_constant(
    path: Path, entry: Document, tensor: TensorSpec, name: str, members: dict[str, bytes]
) -> NDArray[Any]:
    dtype, shape = read_dtype(entry), read_shape(entry, "shape")
    if dtype != tensor.dtype:
        _refuse(path, f"{entry.place}.dtype must be {tensor.dtype} as its tensor's, not {dtype}")
    if shape != tensor.shape:
        _refuse(
            path,
            f"{entry.place}.shape must be {list(tensor.shape)} as its tensor's, not {list(shape)}",
        )
    kind = np.dtype(dtype).newbyteorder("<")
    data = members.get(name)
    size = prod(shape) * kind.itemsize
    if data is None or len(data) != size:
        held = 0 if data is None else len(data)
        _refuse(path, f"{name} must have {size} bytes for {entry.place}, not {held}")
    return np.frombuffer(data, dtype=kind).reshape(shape).astype(kind.newbyteorder("="))
