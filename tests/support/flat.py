"""Configurations recorded before they had sections."""

import tomllib
from pathlib import Path

from hw.arch.config import Config
from hw.arch.config.file import FLAT_TABLE, read_config
from hw.arch.config.moved import MOVED


def recorded_config(path: Path) -> Config:
    """The configuration of a file, which may have the flat form that the command line refuses."""
    fields = tomllib.loads(path.read_text(encoding="utf-8")).get(FLAT_TABLE)
    if fields is None:
        return read_config(path)
    values = {MOVED[name]: value for name, value in fields.items()}
    values["control.kind"] = "microcontroller" if fields.get("processor") else "engines"
    return Config.of(values)
