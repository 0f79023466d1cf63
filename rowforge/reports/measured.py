"""Figures of the last measured build of each board."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "docs" / "results"


def report_path(board: str, folder: Path = FOLDER) -> Path:
    """Where the report of a board's measured build belongs."""
    return folder / f"board_{board.replace('-', '_')}.json"


def measured(board: str, folder: Path = FOLDER) -> dict[str, Any] | None:
    """The report of a board's last measured build, None if there is none at hand."""
    path = report_path(board, folder)
    if not path.is_file():
        return None
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document
