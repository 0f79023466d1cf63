"""What a section of the configuration is: fields with meanings and limits, checked when made."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from hw.arch.errors import RowforgeError

Value = int | float | bool | str
"""A field's value: a number, a flag, or the name of a kind."""

THOUSANDTHS = 1000


def choice(doc: str, *choices: int, default: int) -> Any:
    """A field that takes one of a few numbers."""
    return field(default=default, metadata={"doc": doc, "choices": choices})


def number(doc: str, low: int, high: int, default: int) -> Any:
    """A field that takes a whole number from `low` to `high`."""
    return field(default=default, metadata={"doc": doc, "low": low, "high": high})


def rate(doc: str, default: float) -> Any:
    """A field that takes a share, 0.001 to 1 in thousandths, and is no part of the hardware."""
    return field(default=default, metadata={"doc": doc, "rate": True, "run_only": True})


def flag(doc: str, default: bool) -> Any:
    """A field that is true or false."""
    return field(default=default, metadata={"doc": doc})


def kind(doc: str, *kinds: str) -> Any:
    """The field that says which variant of a part is built; the first one is the default."""
    return field(default=kinds[0], metadata={"doc": doc, "kinds": kinds})


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the configuration.

    Raises `RowforgeError` at construction for a field out of range or an impossible combination of
    the section's own fields. `NAME` is the section's table in a file.
    """

    NAME: ClassVar[str]

    def __post_init__(self) -> None:
        for item in fields(self):
            _check_field(f"{self.NAME}.{item.name}", getattr(self, item.name), item)
        self._check()

    def _check(self) -> None:
        """Refuse combinations of fields of this section; sections with such override it."""

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Any:
        """A section from named values; missing fields take their defaults."""
        known = [item.name for item in fields(cls)]
        for name in values:
            if name not in known:
                raise RowforgeError(
                    f"configuration has no field {cls.NAME}.{name}; [{cls.NAME}] has "
                    f"{', '.join(known)}"
                )
        return cls(**dict(values))


def is_flag(item: Any) -> bool:
    """Whether a dataclass field is a flag."""
    return item.type in (bool, "bool")


def as_number(value: Value, item: Any) -> int:
    """A field's value as an integer: a kind is its place among the kinds."""
    return item.metadata["kinds"].index(value) if "kinds" in item.metadata else int(value)


def from_number(word: int, item: Any) -> Value:
    """The inverse of `as_number`; `RowforgeError` for a kind that this version does not know."""
    if "kinds" in item.metadata:
        kinds = item.metadata["kinds"]
        if not 0 <= word < len(kinds):
            raise RowforgeError(f"{item.name} {word} is not known; known: {', '.join(kinds)}")
        return str(kinds[word])
    return bool(word) if is_flag(item) else word


def _check_field(name: str, value: object, item: Any) -> None:
    meta = item.metadata
    if "kinds" in meta:
        if value not in meta["kinds"]:
            raise RowforgeError(f"{name} must be {_listed(meta['kinds'])}, not {value!r}")
        return
    if is_flag(item):
        if not isinstance(value, bool):
            raise RowforgeError(f"{name} must be true or false, not {value!r}")
        return
    if "rate" in meta:
        _check_rate(name, value)
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise RowforgeError(f"{name} must be a whole number, not {value!r}")
    if "choices" in meta and value not in meta["choices"]:
        choices = ", ".join(str(choice) for choice in meta["choices"])
        raise RowforgeError(f"{name} must be one of {choices}, not {value}")
    if "low" in meta and not meta["low"] <= value <= meta["high"]:
        raise RowforgeError(f"{name} must be {meta['low']} to {meta['high']}, not {value}")


def _check_rate(name: str, value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RowforgeError(f"{name} must be a number, not {value!r}")
    if not 0 < value <= 1 or value != round(value, 3):
        raise RowforgeError(f"{name} must be 0.001 to 1 in thousandths, not {value}")


def per_mille(value: float) -> int:
    """A rate in thousandths."""
    return round(value * THOUSANDTHS)


def _listed(kinds: tuple[str, ...]) -> str:
    quoted = [f'"{name}"' for name in kinds]
    return quoted[0] if len(quoted) == 1 else f"one of {', '.join(quoted)}"
