"""What is searched, as SPACE.toml says it: `SearchSpace`, `read_space`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boards.catalogue import board
from hw.arch.config import Config
from hw.arch.config.section import Value
from hw.arch.energy import Technology
from hw.arch.errors import RowforgeError
from rowforge.area.model import unseen
from rowforge.configs import named_config
from rowforge.exploring.budget import CellBudget, read_budget
from rowforge.exploring.objectives import OBJECTIVES, Objective
from rowforge.options import named_technology

SAMPLERS = ("nsga2", "tpe")
_KEYS = {
    "models": dict,
    "space": dict,
    "objectives": list,
    "start": str,
    "trials": int,
    "generation": int,
    "seed": int,
    "sampler": str,
    "technology": str,
    "board": str,
    "clock": (int, float),
    "budget": dict,
}
_MOST_TRIALS = 100_000


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """A search.

    Attributes
    ----------
    models : path of each model's file or name of a shape list, and its weight; weights add up to 1
    start : the configuration of trial 0, whose other fields all trials share
    values : the values of each field that changes, by its full name
    objectives : what is bettered
    budget : what may not be exceeded
    technology : prices of accesses: a table's name or file, None for the normalised one
    board : name of the board that is built for; None if the space names none
    clock : Hz, by which cycles become time; None if nobody says
    trials : configurations in all
    generation : of them, how many are asked for at once
    seed : of all random choices
    sampler : one of `SAMPLERS`
    """

    models: tuple[tuple[str, float], ...]
    start: Config
    values: Mapping[str, tuple[Value, ...]]
    objectives: tuple[Objective, ...]
    budget: CellBudget
    technology: str | None
    clock: float | None
    trials: int
    generation: int
    seed: int
    sampler: str
    board: str | None = None

    @property
    def first(self) -> dict[str, Value]:
        """The values of trial 0."""
        return {name: self.start.value(name) for name in self.values}

    @property
    def table(self) -> Technology:
        """The prices of accesses."""
        return named_technology(self.technology)


def read_space(path: Path) -> SearchSpace:
    """A search from a TOML file; `RowforgeError` that names the field at fault."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise RowforgeError(f"cannot read {path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RowforgeError(f"{path} must be a TOML file: {error}") from None
    return _space(document, path.parent)


def _space(document: Mapping[str, Any], folder: Path) -> SearchSpace:
    for name, value in document.items():
        if name not in _KEYS:
            raise RowforgeError(f"a space has no field {name!r}; known: {', '.join(_KEYS)}")
        kind = _KEYS[name]
        if not isinstance(value, kind) or isinstance(value, bool):  # type: ignore[arg-type]
            raise RowforgeError(f"{name} of a space must be {_said(kind)}, not {value!r}")
    for name in ("models", "space", "objectives", "start"):
        if not document.get(name):
            raise RowforgeError(f"a space must have {name}")
    start = named_config(_beside(folder, document["start"]))
    named = document.get("board")
    clock = document["clock"] * 1e6 if "clock" in document else None
    if clock is None and named is not None:
        clock = board(named).clock
    technology = document.get("technology")
    space = SearchSpace(
        models=_models(document["models"], folder),
        start=start,
        values=_values(document["space"], start),
        objectives=_objectives(document["objectives"]),
        budget=read_budget(document.get("budget", {}), named),
        technology=None if technology is None else _beside(folder, technology),
        clock=clock,
        trials=_number(document, "trials", 200, 1, _MOST_TRIALS),
        generation=_number(document, "generation", 20, 2, 1000),
        seed=_number(document, "seed", 0, 0, 2**32 - 1),
        sampler=document.get("sampler", SAMPLERS[0]),
        board=named,
    )
    if space.sampler not in SAMPLERS:
        raise RowforgeError(f"sampler must be one of {', '.join(SAMPLERS)}, not {space.sampler!r}")
    for objective in space.objectives:
        objective.check(space.table, space.clock)
    if OBJECTIVES["area"] in space.objectives or "luts" in space.budget.limits:
        _check_area(space)
    return space


def _check_area(space: SearchSpace) -> None:
    """`RowforgeError` for a field of which the model of areas does not know what it costs."""
    for name, values in space.values.items():
        for value in values:
            try:
                changed = space.start.with_values({name: value})
            except RowforgeError:
                continue  # possible with other values of other fields, or a trial that fails
            if found := unseen(space.start, changed):
                raise RowforgeError(
                    f"a space's {name} must stay {space.start.value(name)!r} where LUTs count, not "
                    f"become {value!r}: the model of areas has never seen another "
                    f"{' and '.join(found)}"
                )


def _said(kind: Any) -> str:
    kinds = {dict: "a table", list: "a list", str: "a text", int: "a whole number"}
    return kinds.get(kind, "a number")


def _number(document: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = int(document.get(name, default))
    if not low <= value <= high:
        raise RowforgeError(f"{name} of a space must be {low} to {high}, not {value}")
    return value


def _beside(folder: Path, name: str) -> str:
    """A file's path is relative to the space's; a name without a suffix is no file."""
    return str(folder / name) if Path(name).suffix else name


def _models(table: Mapping[str, Any], folder: Path) -> tuple[tuple[str, float], ...]:
    for name, weight in table.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight > 0:
            raise RowforgeError(f"weight of model {name!r} must be above 0, not {weight!r}")
    whole = sum(table.values())
    return tuple((_beside(folder, name), weight / whole) for name, weight in table.items())


def _objectives(names: list[Any]) -> tuple[Objective, ...]:
    for name in names:
        if name not in OBJECTIVES:
            raise RowforgeError(
                f"objectives of a space must be among {', '.join(OBJECTIVES)}, not {name!r}"
            )
    if len(set(names)) != len(names):
        raise RowforgeError("objectives of a space must differ")
    return tuple(OBJECTIVES[name] for name in names)


def _values(table: Mapping[str, Any], start: Config) -> dict[str, tuple[Value, ...]]:
    known = {name for name, _ in Config.declared(hardware=True)}
    found: dict[str, tuple[Value, ...]] = {}
    for section, fields in table.items():
        for field, values in fields.items() if isinstance(fields, Mapping) else ((None, None),):
            name = section if field is None else f"{section}.{field}"
            if name not in known:
                raise RowforgeError(f"a space's {name} is no field of a configuration's hardware")
            if not isinstance(values, list) or not values or len(set(values)) != len(values):
                raise RowforgeError(f"a space's {name} must be a list of different values")
            if start.value(name) not in values:
                raise RowforgeError(
                    f"a space's {name} must have {start.value(name)!r}, that of its start: the "
                    "start is trial 0"
                )
            found[name] = tuple(values)
    return found
