"""What a search leaves in its folder: the front as configurations, tables and a picture."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hw.arch.config.file import render_toml
from hw.arch.errors import RowforgeError
from hw.arch.files import write_files
from rowforge.exploring.search import Trial
from rowforge.exploring.space import SearchSpace
from rowforge.reports.svg import FAINT, document, dot, line, text
from rowforge.reports.texttable import Column, text_table

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 860, 520, 110, 30, 50, 60
_OTHER, _FRONT = "#a0aec0", "#c05621"
_CELLS = ("luts", "registers", "block_rams", "multipliers")


def file_of(trial: Trial) -> str:
    """The name of a trial's configuration in the folder `front`."""
    return f"trial_{trial.number:05d}.toml"


def front_rows(space: SearchSpace, front: Sequence[Trial]) -> list[dict[str, Any]]:
    """A row for each trial: number, objectives, cells, fields of the space, file."""
    return [
        {
            "trial": trial.number,
            **_objectives(space, trial),
            **{name: trial.evaluated.cells[name] for name in _CELLS},
            **trial.values,
            "file": f"front/{file_of(trial)}",
        }
        for trial in front
    ]


def _objectives(space: SearchSpace, trial: Trial) -> dict[str, float]:
    names = [objective.name for objective in space.objectives]
    return dict(zip(names, trial.objectives(space), strict=True))


def write_front(
    space: SearchSpace, trials: Sequence[Trial], front: Sequence[Trial], folder: Path
) -> list[Path]:
    """Write front.csv, front.json, front.svg and a configuration for each trial of the front.

    Configurations of an earlier front are removed. Returns the files; raises `RowforgeError` if one
    cannot be written.
    """
    rows = front_rows(space, front)
    files = {
        "front.csv": _csv(rows),
        "front.json": json.dumps({"trials": len(trials), "front": rows}, indent=1) + "\n",
    }
    if len(space.objectives) > 1:
        files["front.svg"] = picture(space, trials, front)
    files |= {f"front/{file_of(trial)}": render_toml(trial.config(space)) for trial in front}
    written = write_files(folder, files)
    try:
        for old in (folder / "front").glob("trial_*.toml"):
            if f"front/{old.name}" not in files:
                old.unlink()
    except OSError as error:
        raise RowforgeError(f"cannot write {folder}: {error.strerror or error}") from None
    return written


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    found = io.StringIO()
    if rows:
        writer = csv.DictWriter(found, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return found.getvalue()


def front_text(space: SearchSpace, front: Sequence[Trial]) -> str:
    """The front for a reader: objectives, cells, and the fields in which its points differ."""
    rows = front_rows(space, front)
    columns = [Column("trial", "trial")]
    columns += [
        Column(f"{each.name} ({each.unit})", each.name, ",.6g") for each in space.objectives
    ]
    columns += [Column(name.replace("_", " "), name) for name in _CELLS]
    differing = [name for name in space.values if len({str(row[name]) for row in rows}) > 1]
    flat = [{name.replace(".", "/"): value for name, value in row.items()} for row in rows]
    columns += [Column(name, name.replace(".", "/")) for name in differing]
    return text_table(columns, flat, total=False)


def picture(space: SearchSpace, trials: Sequence[Trial], front: Sequence[Trial]) -> str:
    """All trials within the budget by their first two objectives, those of the front apart."""
    fitting = [trial for trial in trials if trial.fits(space)]
    first, second = space.objectives[:2]
    points = {trial.number: trial.objectives(space)[:2] for trial in fitting}
    parts = [text(_LEFT, 28, f"{second.name} ({second.unit}) over {first.name} ({first.unit})")]
    if points:
        plane = _Plane(list(points.values()))
        best = {trial.number for trial in front}
        parts += plane.axes()
        ordered = sorted(points, key=lambda number: number in best)  # the front above the others
        for number in ordered:
            x, y = points[number]
            told = f"trial {number}: {x:,.6g} {first.unit}, {y:,.6g} {second.unit}"
            colour = _FRONT if number in best else _OTHER
            parts.append(dot(plane.x(x), plane.y(y), colour, told, hollow=number == 0))
    return document(_WIDTH, _HEIGHT, parts)


class _Plane:
    """Where points are, on linear axes that hold all of them."""

    def __init__(self, points: Sequence[tuple[float, ...]]) -> None:
        self._x, self._y = (self._range([point[axis] for point in points]) for axis in (0, 1))

    @staticmethod
    def _range(values: Sequence[float]) -> tuple[float, float]:
        low, high = min(values), max(values)
        margin = (high - low or abs(high) or 1) / 20
        return low - margin, high + margin

    def x(self, value: float) -> float:
        """Pixels from the left."""
        low, high = self._x
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        low, high = self._y
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def axes(self) -> list[str]:
        """Lines, and figures at five places of each."""
        foot, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
        parts = [line((_LEFT, foot), (right, foot)), line((_LEFT, foot), (_LEFT, _TOP))]
        for place in range(5):
            x = self._x[0] + (self._x[1] - self._x[0]) * place / 4
            y = self._y[0] + (self._y[1] - self._y[0]) * place / 4
            said = (f"{x:,.4g}", f"{y:,.4g}")
            parts.append(text(self.x(x), foot + 22, said[0], size=12, fill=FAINT, anchor="middle"))
            parts.append(text(_LEFT - 8, self.y(y) + 4, said[1], size=12, fill=FAINT, anchor="end"))
        return parts
