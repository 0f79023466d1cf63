"""Configurations as TOML files, and the hash that ties hardware and programs together."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from hw.arch.config.config import SECTIONS, Config
from hw.arch.config.moved import MOVED
from hw.arch.config.section import Value, as_number
from hw.arch.config.sections import ClustersConfig
from hw.arch.errors import RowforgeError

FLAT_TABLE = "accelerator"
"""The one table that configurations had before they had sections."""


def parse_toml(text: str, source: str = "configuration") -> Config:
    """A configuration from TOML text: a table for each section, all of them optional.

    Raises `RowforgeError` for anything else; a text with the fields of the flat form is refused
    with the place to which each of them moved.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RowforgeError(f"{source} is not valid TOML: {error}") from None
    _refuse_flat(document, source)
    for name, content in document.items():
        if name not in SECTIONS:
            raise RowforgeError(f"{source} has an unknown table or key {name!r}; use {_tables()}")
        if not isinstance(content, dict):
            raise RowforgeError(f"{source} must have [{name}] as a table, not {name} = {content!r}")
    if not document:
        raise RowforgeError(f"{source} must have a table, one or more of {_tables()}")
    return Config.from_dict(document)


def _tables() -> str:
    return " ".join(f"[{name}]" for name in SECTIONS)


def _refuse_flat(document: Mapping[str, object], source: str) -> None:
    flat = document.get(FLAT_TABLE)
    names = [*document, *(flat if isinstance(flat, dict) else ())]
    old = [name for name in names if name in MOVED]
    if FLAT_TABLE not in document and not old:
        return
    places = ", ".join(f"{name} is now {MOVED[name]}" for name in old)
    hint = f": {places}" if places else ""
    raise RowforgeError(
        f"{source} has the flat form of before; write its fields in sections ({_tables()}){hint}"
    )


def read_config(path: Path) -> Config:
    """A configuration from a TOML file; `RowforgeError` if it is missing or wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RowforgeError(f"cannot read configuration {path}: {error}") from None
    return parse_toml(text, str(path))


def render_toml(config: Config) -> str:
    """The canonical TOML text: every field, in declaration order, each with its meaning."""
    parts = []
    for name in SECTIONS:
        section = getattr(config, name)
        lines = [f"[{name}]"]
        lines += [
            f"{item.name} = {_literal(getattr(section, item.name))}  # {item.metadata['doc']}"
            for item in fields(section)
        ]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def config_words(config: Config) -> list[int]:
    """Every field of the hardware as an integer, in declaration order: a kind is its place among
    the kinds."""
    items = dict(Config.declared(hardware=True))
    return [as_number(value, items[name]) for name, value in config.values(hardware=True).items()]


def config_hash(config: Config) -> int:
    """64 bits of the sha256 of what is built: names and values of the hardware's fields."""
    text = ";".join(f"{name}={value}" for name, value in config.values(hardware=True).items())
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


RECOMPILE = (
    "compile the model again for the accelerator's configuration, which "
    "`rowforge selftest --target URL --save-config F.toml` writes down"
)
"""What helps against a program of another configuration."""


def differences(ours: Config, theirs: Config) -> list[str]:
    """A line for each field of the hardware in which two configurations differ."""
    left, right = ours.values(hardware=True), theirs.values(hardware=True)
    return [
        f"{name}: {left.get(name, _left_out(ours, name))} here, "
        f"{right.get(name, _left_out(theirs, name))} there"
        for name in {**left, **right}
        if left.get(name, _left_out(ours, name)) != right.get(name, _left_out(theirs, name))
    ]


def _left_out(config: Config, name: str) -> Value:
    """What is said of a field that is no part of the hardware; of clusters, their number."""
    return config.value(name) if name.startswith(f"{ClustersConfig.NAME}.") else "none"
