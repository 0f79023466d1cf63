"""Configurations as TOML files, and the hash that ties hardware and programs together."""

import hashlib
import tomllib
from dataclasses import fields
from pathlib import Path

from hw.arch.config import Config
from hw.arch.errors import RowforgeError


def parse_toml(text: str, source: str = "configuration") -> Config:
    """A configuration from TOML text: one `[accelerator]` table of fields."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RowforgeError(f"{source} is not valid TOML: {error}") from None
    unknown = set(document) - {"accelerator"}
    if unknown:
        raise RowforgeError(
            f"{source} has an unknown table or key {sorted(unknown)[0]!r}; use [accelerator]"
        )
    table = document.get("accelerator")
    if not isinstance(table, dict):
        raise RowforgeError(f"{source} must have a table [accelerator]")
    return Config.from_dict(table)


def read_config(path: Path) -> Config:
    """A configuration from a TOML file; `RowforgeError` if it is missing or wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RowforgeError(f"cannot read configuration {path}: {error}") from None
    return parse_toml(text, str(path))


def render_toml(config: Config) -> str:
    """The canonical TOML text: every field, in declaration order, each with its meaning."""
    lines = ["[accelerator]"]
    for item in fields(config):
        value = getattr(config, item.name)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        lines.append(f"{item.name} = {text}  # {item.metadata['doc']}")
    return "\n".join(lines) + "\n"


def config_hash(config: Config) -> int:
    """64 bits of the sha256 of the canonical configuration (names and values, not comments)."""
    text = ";".join(f"{name}={int(value)}" for name, value in config.as_dict().items())
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


RECOMPILE = (
    "compile the model again for the accelerator's configuration, which "
    "`rowforge selftest --target URL --save-config F.toml` writes down"
)
"""What helps against a program of another configuration."""


def differences(ours: Config, theirs: Config) -> list[str]:
    """A line for each field in which two configurations differ."""
    left, right = ours.as_dict(), theirs.as_dict()
    return [
        f"{name}: {left[name]} here, {right[name]} there"
        for name in left
        if left[name] != right[name]
    ]
