"""Folders of files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hw.arch.errors import RowforgeError


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> list[Path]:
    """Write files whole: first all beside their place, then each moved there.

    Parameters
    ----------
    folder : Path
        Made if it is absent; its other files stay.
    files : Mapping[str, str | bytes]
        By place in the folder, with `/` between names; a text is written as UTF-8 with lines that
        end in a line feed.

    Returns the files' paths in order of their names. Raises `RowforgeError` if one cannot be
    written; then those that were there are as they were.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as name:
            _write(Path(name), files)
            for place in files:
                # Whatever could refuse the move of one file is found before the first one moves.
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                if (folder / place).is_dir():
                    raise IsADirectoryError(None, f"{place} is a folder there")
            for place in files:
                os.replace(Path(name) / place, folder / place)
    except OSError as error:
        raise RowforgeError(
            f"output folder must be writable, not {str(folder)!r}: {error.strerror or error}"
        ) from None
    return [folder / place for place in sorted(files)]


def _write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for place, content in files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            (folder / place).write_bytes(content)
        else:
            (folder / place).write_text(content, encoding="utf-8", newline="\n")
