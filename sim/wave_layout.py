"""A layout for GTKWave beside a file of waves: `write_wave_layout`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

Signals: TypeAlias = Iterable[tuple[str, int]]
"""Signals by their path, and how many bits each has."""


def write_wave_layout(waves: Path, groups: Iterable[tuple[str, Signals]]) -> Path:
    """Write `NAME.gtkw` beside a file of waves; returns it.

    `@28` shows a bit in binary, `@22` a vector in hexadecimal, `@200` a comment.

    Parameters
    ----------
    waves : path
    groups : title and signals of each group, from the top
    """
    lines = [f'[dumpfile] "{waves.resolve()}"', "[timestart] 0", "*-16 0"]
    for title, signals in groups:
        lines += ["@200", f"-{title}"]
        for path, width in signals:
            lines += ["@28", path] if width == 1 else ["@22", f"{path}[{width - 1}:0]"]
    layout = waves.with_suffix(".gtkw")
    layout.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return layout
