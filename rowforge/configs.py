"""Named configurations that ship with the package, and configurations from files."""

from importlib import resources
from pathlib import Path

from hw.arch.config import Config
from hw.arch.config.file import parse_toml, read_config
from hw.arch.errors import RowforgeError

_SUFFIX = ".toml"


def preset_names() -> list[str]:
    """The names of the presets, sorted."""
    folder = resources.files("rowforge") / "presets"
    names = (item.name for item in folder.iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


def preset(name: str) -> Config:
    """The configuration of a preset; `RowforgeError` if there is none of that name."""
    return parse_toml(_text(name), f"preset {name}")


def preset_summary(name: str) -> str:
    """The sentence with which a preset's file introduces itself."""
    comments = []
    for line in _text(name).splitlines():
        if not line.startswith("#"):
            break
        comments.append(line.lstrip("# ").rstrip())
    return " ".join(comments)


def load_config(path: str | Path) -> Config:
    """A configuration from a TOML file; `RowforgeError` if it is missing or wrong."""
    return read_config(Path(path))


def named_config(name: str) -> Config:
    """A preset by its name, or the configuration of a file whose name ends in .toml.

    Raises `RowforgeError` if it is neither, or the file is missing or wrong.
    """
    if name.endswith(_SUFFIX):
        return load_config(name)
    if name in preset_names():
        return preset(name)
    raise RowforgeError(
        f"{name!r} must be a configuration (.toml or one of {', '.join(preset_names())})"
    )


def _text(name: str) -> str:
    if name not in preset_names():
        raise RowforgeError(f"preset must be one of {', '.join(preset_names())}, not {name!r}")
    return (resources.files("rowforge") / "presets" / f"{name}{_SUFFIX}").read_text("utf-8")
