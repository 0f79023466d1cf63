"""A digest of the code that searches: `source_digest`."""

import sys
from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np

from compiler.cache.fingerprint import DIGEST_BYTES

_ROOT = Path(__file__).parents[2]
COMPILER = ("compiler", "hw/arch", "numerics")
"""All that the compiler consists of: what it imports, and the prices of accesses."""


@cache
def source_digest(folders: tuple[str, ...] = COMPILER) -> str | None:
    """A digest of all files in some folders of the project, and of Python's and NumPy's versions.

    Results of another version of a search have another name in the cache, and are never read. None
    if there are no files, or not all can be read: nobody knows what such code finds.
    """
    try:
        return digest_files(_ROOT, folders)
    except OSError:
        return None


def digest_files(root: Path, folders: tuple[str, ...]) -> str | None:
    """A digest of names and contents of all files in some folders, compiled ones apart.

    None if a folder has none. Raises `OSError` for a file that cannot be read.
    """
    found = blake2b(digest_size=DIGEST_BYTES)
    found.update(f"{sys.version_info[:2]} {np.__version__}".encode())
    for folder in folders:
        paths = (root / folder).rglob("*")
        files = sorted(path for path in paths if path.suffix != ".pyc" and path.is_file())
        if not files:
            return None
        for path in files:
            data = path.read_bytes()
            found.update(f"{path.relative_to(root).as_posix()} {len(data)} ".encode())
            found.update(data)
    return found.hexdigest()
