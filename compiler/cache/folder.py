"""The folder with what was found before: one file an entry, each with a check of its content."""

import json
import os
import tempfile
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from compiler.cache.fingerprint import DIGEST_BYTES

MOVED = "ROWFORGE_CACHE"
"""The variable of the environment that names another folder for all that is kept between runs.

Builds of simulators lie there, too. If it is empty, nothing is kept of searches.
"""

MOST_BYTES = 256 << 20  # of all entries
_SHARDS = 16  # folders; each is kept small by itself, which makes looking at one of them cheap
_KEPT = 0.75  # of the bytes that a folder may have, what stays when the oldest entries are removed


class CacheFolder:
    """Entries by name, for any number of processes at once.

    An entry is written beside its place and renamed, so that readers see all of it or nothing.
    What cannot be read, or fails its check, counts as absent; what cannot be written is left out.
    Reading an entry makes it new: the oldest ones go first when the folder has grown too large.

    Parameters
    ----------
    path : of the folder, which is made when the first entry is written
    most_bytes : of all entries
    """

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self.path = path
        self._most = most_bytes // _SHARDS

    def read(self, name: str) -> tuple[Any] | None:
        """(the value,), or None if there is none; names are hexadecimal digests."""
        path = self._place(name)
        try:
            check, _, text = path.read_bytes().partition(b"\n")
            if check != _check(name, text):
                return None
            value = json.loads(text)
        except (OSError, ValueError):
            return None
        with suppress(OSError):
            os.utime(path)
        return (value,)

    def write(self, name: str, value: Any) -> None:
        """Keeps a value that JSON can hold."""
        text = json.dumps(value, separators=(",", ":")).encode()
        place = self._place(name)
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            _replace(place, _check(name, text) + b"\n" + text)
            self._trim(place.parent)

    def _place(self, name: str) -> Path:
        return self.path / str(int(name[:4], 16) % _SHARDS) / name

    def _trim(self, folder: Path) -> None:
        """Removes the oldest files of a folder that has grown too large."""
        found = []
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):  # another process may have removed it
                    status = entry.stat()
                    found.append((status.st_mtime_ns, status.st_size, entry.path))
        total = sum(size for _, size, _ in found)
        if total <= self._most:
            return
        for _, size, path in sorted(found):
            with suppress(OSError):
                os.unlink(path)
            total -= size
            if total <= _KEPT * self._most:
                return


def cache_folder() -> CacheFolder | None:
    """`searches` in the folder that the environment names; None if nothing is kept.

    `ROWFORGE_CACHE` names that folder, otherwise it is `rowforge` in `$XDG_CACHE_HOME`, by default
    in `~/.cache`.
    """
    moved = os.environ.get(MOVED)
    if moved is not None:
        return _folder(moved) if moved else None
    caches = os.environ.get("XDG_CACHE_HOME", "")
    # The specification of that variable: a relative path is no path.
    if os.path.isabs(caches):
        return _folder(os.path.join(caches, "rowforge"))
    home = os.path.expanduser("~")
    return _folder(os.path.join(home, ".cache", "rowforge")) if os.path.isabs(home) else None


@lru_cache(maxsize=16)
def _folder(path: str) -> CacheFolder:
    return CacheFolder(Path(path) / "searches")


def _check(name: str, text: bytes) -> bytes:
    """Of an entry's content under its name: a damaged or misplaced file is no entry."""
    return blake2b(text, digest_size=DIGEST_BYTES, key=bytes.fromhex(name)).hexdigest().encode()


def _replace(place: Path, data: bytes) -> None:
    """A file's content, all at once."""
    descriptor, path = tempfile.mkstemp(dir=place.parent, prefix=".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(path, place)
    except OSError:
        os.unlink(path)
        raise
