"""Digests of values that decide what a search finds: `fingerprint`."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np

DIGEST_BYTES = 20


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def fingerprint(*values: Any) -> str:
    """A digest in hexadecimal that differs if any of the values does.

    Values are numbers, texts, enumerations, arrays, and tuples, lists, mappings and dataclasses of
    such. Of a dataclass the fields count that its constructor takes.

    Raises `TypeError` for a value of another type: it might change without its digest.
    """
    found = blake2b(digest_size=DIGEST_BYTES)
    _add(found, values)
    return found.hexdigest()


def _add(found: _Hash, value: Any) -> None:
    """Every value has a prefix with its type and length, so that no two can be taken for one."""
    if isinstance(value, Enum):
        _add_text(found, type(value).__name__, value.name)
    elif isinstance(value, str):
        _add_text(found, "str", value)
    elif isinstance(value, np.ndarray):
        _add_array(found, value)
    elif isinstance(value, np.generic):
        _add_text(found, value.dtype.str, repr(value.item()))
    elif value is None or isinstance(value, (bool, int, float)):
        _add_text(found, type(value).__name__, repr(value))
    elif isinstance(value, (tuple, list)):
        _add_text(found, "sequence", str(len(value)))
        for item in value:
            _add(found, item)
    elif isinstance(value, Mapping):
        _add_text(found, "mapping", str(len(value)))
        for pair in value.items():
            _add(found, pair)
    elif is_dataclass(value) and not isinstance(value, type):
        names = [item.name for item in fields(value) if item.init]
        _add_text(found, type(value).__name__, str(len(names)))
        for name in names:
            _add(found, getattr(value, name))
    else:
        raise TypeError(f"no digest of a {type(value).__name__}: {value!r}")


def _add_text(found: _Hash, kind: str, text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    found.update(f"{kind} {len(data)} ".encode())
    found.update(data)


def _add_array(found: _Hash, array: "np.ndarray[Any, Any]") -> None:
    _add_text(found, array.dtype.str, str(array.shape))
    # Weights of shape lists are one zero seen many times: the copies are not worth reading.
    same = tuple(n if step else 1 for n, step in zip(array.shape, array.strides, strict=True))
    _add_text(found, "stored", str(same))
    stored = array[tuple(slice(n) for n in same)]
    found.update(np.ascontiguousarray(stored).tobytes())
