"""Generated reference pages: configuration, commands, the command set, the Python interface."""

import os
from collections.abc import Mapping
from dataclasses import MISSING
from pathlib import Path
from unittest import mock

import rowforge
from hw.arch.config import Config
from hw.emit.documents import render_markdown
from rowforge.cli import COMMANDS, build_parser
from rowforge.configs import preset, preset_names, preset_summary
from website.contents import ROOT

FOLDER = "docs/reference"
PACKAGES = ("hw", "numerics", "compiler", "sim", "sw_driver", "boards", "rowforge", "tb")
_COLUMNS = "96"  # of the help that the page of commands quotes


def pages(*, modules: bool = True) -> dict[str, str]:
    """The text of every generated page by its path in the site's source."""
    return {
        f"{FOLDER}/configuration.md": configuration(),
        f"{FOLDER}/commands.md": commands(),
        f"{FOLDER}/programs.md": programs(),
        f"{FOLDER}/python.md": python(),
        **(internals() if modules else {}),
    }


def configuration() -> str:
    """Every field with its default and meaning, and the presets."""
    text = "# Configuration\n\nThe fields of a configuration file, with their defaults.\n"
    last = ""
    for name, declared in Config.declared():
        section, _, item = name.partition(".")
        if section != last:
            text += f"\n## [{section}]\n\n| field | default | meaning |\n|---|---|---|\n"
            last = section
        default = "" if declared.default is MISSING else _toml(declared.default)
        meaning = str(declared.metadata["doc"]).replace("|", "\\|")
        text += f"| `{item}` | {default} | {meaning} |\n"
    text += "\n## Presets\n\n| name | what it is |\n|---|---|\n"
    for name in preset_names():
        text += f"| `{name}` | {preset_summary(name)} |\n"
    return text


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def commands() -> str:
    """What `rowforge COMMAND --help` prints, command by command."""
    text = "# Commands\n\nThis is what `rowforge COMMAND --help` prints.\n"
    with mock.patch.dict(os.environ, {"COLUMNS": _COLUMNS}):
        (choices,) = (a.choices for a in build_parser()._actions if a.dest == "command")
        assert choices is not None
        for name in COMMANDS:
            parser: Mapping[str, object] = dict(choices)
            said = parser[name].format_help()  # type: ignore[attr-defined]
            text += f"\n## {name}\n\n```text\n{said.rstrip()}\n```\n"
    return text


def programs() -> str:
    """The command set of the preset `tiny`, as `rowforge generate` writes it beside the Verilog."""
    text = render_markdown(preset("tiny"), "rowforge")
    return "# Programs and commands\n" + text.partition("\n")[2]


def python() -> str:
    """The interface of the package `rowforge`, a heading for each name."""
    text = "# Python interface\n\nAll names are members of `rowforge`.\n"
    for name in sorted(rowforge.__all__, key=str.lower):
        kind = "autoclass" if isinstance(getattr(rowforge, name), type) else "autofunction"
        exception = isinstance(getattr(rowforge, name), type) and issubclass(
            getattr(rowforge, name), Exception
        )
        directive = "autoexception" if exception else kind
        text += f"\n## {name}\n\n```{{eval-rst}}\n.. {directive}:: rowforge.{name}\n```\n"
    return text


def internals() -> dict[str, str]:
    """A page for each folder of sources, and one above them."""
    folders = sorted(
        {path.parent for name in PACKAGES for path in (ROOT / name).rglob("*.py")} - _left_out()
    )
    found = {}
    for folder in folders:
        name = ".".join(folder.relative_to(ROOT).parts)
        text = f"# {name}\n"
        for path in sorted(folder.glob("*.py"), key=lambda path: (path.stem != "__init__", path)):
            if path.stem == "__main__":
                continue
            module = name if path.stem == "__init__" else f"{name}.{path.stem}"
            heading = "" if path.stem == "__init__" else f"\n## {module}\n"
            options = "   :no-index:\n" if path.stem == "__init__" else ""
            text += f"{heading}\n```{{eval-rst}}\n.. automodule:: {module}\n{options}```\n"
        found[f"{FOLDER}/modules/{name}.md"] = text
    listed = "\n".join(Path(path).stem for path in found)
    above = (
        "# Modules\n\nThe docstrings of all modules, a page for each folder, for those who\n"
        "change Rowforge; users need the [Python interface](../python.md) alone.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    )
    return {f"{FOLDER}/modules/index.md": above, **found}


def _left_out() -> set[Path]:
    """Folders without modules that can be imported."""
    return {path.parent for name in PACKAGES for path in (ROOT / name).rglob("standalone/*.py")}
