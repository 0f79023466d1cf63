"""Technologies as TOML files: those that ship, and the user's own."""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TypeVar

from hw.arch.accesses import DataType, Direction, Level
from hw.arch.energy.technology import SIZES, UNIT_BITS, UNITS, AccessPrice, Technology
from hw.arch.errors import RowforgeError

DEFAULT_TECHNOLOGY = "normalised"

MOST_ENERGY, MOST_BITS = 1e9, 4096

_SUFFIX = ".toml"
_ORIGIN = ("process", "source", "licence")  # of the file, or of an entry that has its own
_HEAD = ("name", "unit", *_ORIGIN, "sizes", "entries")
_ENTRY = ("level", "data", "direction", "gated", "energy", "bits", "unit", *_ORIGIN)

Kind = TypeVar("Kind", bound=StrEnum)


def technology_names() -> list[str]:
    """The tables that ship with the package, sorted."""
    folder = resources.files("hw.arch.energy") / "technologies"
    names = (item.name for item in folder.iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


@cache
def technology(name: str = DEFAULT_TECHNOLOGY) -> Technology:
    """A table that ships; `RowforgeError` if there is none of that name."""
    if name not in technology_names():
        raise RowforgeError(
            f"technology must be one of {', '.join(technology_names())} or a .toml file, "
            f"not {name!r}"
        )
    path = resources.files("hw.arch.energy") / "technologies" / f"{name}{_SUFFIX}"
    return parse_technology(path.read_text("utf-8"), f"technology {name}")


def read_technology(path: Path) -> Technology:
    """A table from a TOML file; `RowforgeError` if it is missing or wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RowforgeError(f"cannot read technology {path}: {error}") from None
    return parse_technology(text, str(path))


def parse_technology(text: str, source: str = "technology") -> Technology:
    """A table from TOML text.

    `name`, `unit`, `process`, `source` and `licence` stand at its head. A table `sizes` may follow:
    fields of a configuration that the prices were made for. Each price stands in a table of the
    array `entries`: `level`, `energy`, and what it needs of `data` (a list of types),
    `direction`, `gated`, `bits`, and a unit, process, source and licence of its own.

    Raises `RowforgeError` for anything else, in a sentence with field, value and limit.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RowforgeError(f"{source} is not valid TOML: {error}") from None
    _refuse_unknown(document, _HEAD, source)
    head = {name: _text(document, name, source) for name in ("name", "unit", *_ORIGIN)}
    unit = _one_of(head["unit"], tuple(UNITS), f"{source}: unit")
    entries = document.get("entries")
    if not isinstance(entries, list) or not entries:
        raise RowforgeError(f"{source} must have one [[entries]] table or more")
    prices = tuple(
        _entry(values, head, f"{source}: entries[{number}]")
        for number, values in enumerate(entries, start=1)
    )
    return Technology(head["name"], unit, prices, _sizes(document.get("sizes", {}), source))


def _sizes(values: object, source: str) -> tuple[tuple[str, int], ...]:
    if not isinstance(values, dict):
        raise RowforgeError(f"{source}: sizes must be a table, not {values!r}")
    _refuse_unknown(values, SIZES, f"{source}: sizes")
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise RowforgeError(
                f"{source}: sizes: {name} must be a whole number of at least 1, not {value!r}"
            )
    return tuple(values.items())


def _entry(values: object, head: Mapping[str, str], where: str) -> AccessPrice:
    if not isinstance(values, dict):
        raise RowforgeError(f"{where} must be a table, not {values!r}")
    _refuse_unknown(values, _ENTRY, where)
    for name in ("level", "energy"):
        if name not in values:
            raise RowforgeError(f"{where} must have {name}")
    origin = {
        name: _text(values, name, where) if name in values else head[name] for name in _ORIGIN
    }
    data = values.get("data", [])
    if not isinstance(data, list):
        raise RowforgeError(f"{where}: data must be a list of types, not {data!r}")
    direction = values.get("direction")
    price = AccessPrice(
        level=_kind(Level, values["level"], f"{where}: level"),
        data=frozenset(_kind(DataType, name, f"{where}: data") for name in data),
        direction=None if direction is None else _kind(Direction, direction, f"{where}: direction"),
        gated=_flag(values.get("gated", False), f"{where}: gated"),
        energy=_number(values["energy"], f"{where}: energy"),
        bits=_bits(values.get("bits", UNIT_BITS), f"{where}: bits"),
        unit=_one_of(values.get("unit", head["unit"]), tuple(UNITS), f"{where}: unit"),
        **origin,
    )
    if price.gated and price.level is not Level.MAC:
        raise RowforgeError(f"{where}: gated must be false at level {price.level}, not true")
    if price.level is Level.IDLE and any(name in values for name in ("data", "direction", "bits")):
        raise RowforgeError(f"{where}: level idle must have no data, direction or bits")
    return price


def _refuse_unknown(values: Mapping[str, object], known: tuple[str, ...], where: str) -> None:
    for name in values:
        if name not in known:
            raise RowforgeError(f"{where} has an unknown key {name!r}; use {', '.join(known)}")


def _text(values: Mapping[str, object], name: str, where: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value.strip():
        told = "nothing" if value is None else repr(value)
        raise RowforgeError(f"{where}: {name} must be a text, not {told}")
    return value


def _one_of(value: object, known: tuple[str, ...], where: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise RowforgeError(f"{where} must be one of {', '.join(known)}, not {value!r}")
    return value


def _kind(kinds: type[Kind], value: object, where: str) -> Kind:
    return kinds(_one_of(value, tuple(kind.value for kind in kinds), where))


def _flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise RowforgeError(f"{where} must be true or false, not {value!r}")
    return value


def _number(value: object, where: str) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not 0 <= value <= MOST_ENERGY:  # type: ignore[operator]
        raise RowforgeError(f"{where} must be a number from 0 to {MOST_ENERGY:g}, not {value!r}")
    return float(value)  # type: ignore[arg-type]


def _bits(value: object, where: str) -> int:
    good = isinstance(value, int) and not isinstance(value, bool)
    if not good or not 1 <= value <= MOST_BITS:  # type: ignore[operator]
        raise RowforgeError(f"{where} must be a whole number from 1 to {MOST_BITS}, not {value!r}")
    return int(value)  # type: ignore[call-overload, no-any-return]
