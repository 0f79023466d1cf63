"""Results of searches that are found once and kept: `kept`."""

from collections.abc import Callable
from typing import Any, TypeVar

from compiler.cache.fingerprint import fingerprint
from compiler.cache.folder import cache_folder
from compiler.cache.source import COMPILER, source_digest

T = TypeVar("T")


def kept(
    kind: str,
    key: Any,
    find: Callable[[], T],
    *,
    pack: Callable[[T], Any],
    unpack: Callable[[Any], T],
    code: tuple[str, ...] = COMPILER,
) -> T:
    """What `find` returns, taken from the user's cache folder if it was found before.

    Parameters
    ----------
    kind : of result, which names the search
    key : all that the search depends on, its own code apart; see `fingerprint`
    pack, unpack : a result as a value that JSON can hold, and back; what is unpacked equals what
        was found
    code : folders of the project with the code of the search
    """
    folder, source = cache_folder(), source_digest(code)
    if folder is None or source is None:
        return find()
    name = fingerprint(source, kind, key)
    entry = folder.read(name)
    if entry is not None:
        return unpack(entry[0])
    found = find()
    folder.write(name, pack(found))
    return found
