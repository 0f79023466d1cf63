"""Runs the notebooks, and turns them into pages with what they showed."""

import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

_TIMEOUT = 300  # seconds of a cell


def executed(path: Path) -> Any:
    """The notebook after every cell has run, in the folder of the notebook.

    Raises `nbclient.exceptions.CellExecutionError` for the first cell that fails.
    """
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(
        notebook,
        timeout=_TIMEOUT,
        kernel_name="python3",
        resources=where,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # it warns of its own transport
    ).execute()
    return notebook


def as_markdown(path: Path) -> str:
    """A page: the notebook's text, code, and what the code showed when it was run just now."""
    parts = []
    for cell in executed(path).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code":
            parts.append(f"```python\n{cell.source}\n```")
            parts += [shown for output in cell.outputs if (shown := _shown(output))]
    return "\n\n".join(parts) + "\n"


def _shown(output: Any) -> str:
    """One output, in the richest form that a page can hold."""
    if output.output_type == "stream":
        return f"```text\n{output.text.rstrip()}\n```" if output.name == "stdout" else ""
    data = output.get("data", {})
    for kind in ("image/svg+xml", "text/html"):
        if data.get(kind, "").strip():
            lines = [line for line in data[kind].splitlines() if line.strip()]
            return '```{raw} html\n<div class="output">\n' + "\n".join(lines) + "\n</div>\n```"
    plain = data.get("text/plain", "").rstrip()
    return f"```text\n{plain}\n```" if plain else ""  # what shows progress is empty in the end


def main() -> int:
    """Runs the notebooks that are named; the first cell that fails is shown."""
    for name in sys.argv[1:]:
        executed(Path(name).resolve())
        print(f"{name}: every cell ran", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
