"""Everything that keeps a model from running, in one message.

A front end converts operator by operator and collects what cannot run instead of ending at the
first. One blocker is one sentence; several are a heading and a line for each group of operators of
one type that one change would help.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from hw.arch.errors import RowforgeError

NO_TYPE = "(no type)"  # stands for the type of an operator that has none
_PLACES = 3  # of a group, named in full
_GROUPS = 30  # a real network has some ten; a damaged file may invent thousands


class OperatorRefusedError(RowforgeError):
    """One operator of a model file cannot run: the sentence, and its parts for a longer message."""

    def __init__(self, index: int, op: str, reason: str, remedy: str, name: str = "") -> None:
        called = f" {name!r}" if name else ""
        super().__init__(f"operator {index} {op or NO_TYPE}{called} cannot run: {reason}; {remedy}")
        self.index = index
        self.parts = Refusal(op, f"{index}{called}", reason, remedy)


class DependsOnRefusedError(RowforgeError):
    """An operator cannot be judged, since one that it reads was refused; no user sees this."""


class ModelRefusedError(RowforgeError):
    """Several operators of a model cannot run: a heading, and an indented line for each group."""

    def __init__(self, heading: str, groups: Sequence[str]) -> None:
        super().__init__("\n".join([_line(heading), *(f"  {_line(group)}" for group in groups)]))
        self.heading, self.groups = heading, tuple(groups)


@dataclass(frozen=True)
class Refusal:
    """An operator that cannot run: its type, where it stands, why, and the change that helps.

    `remedy` is empty where the reason says what would help.
    """

    op: str
    place: str
    reason: str
    remedy: str = ""

    @property
    def group(self) -> tuple[str, str]:
        """Refusals that are equal in this take one line: the same type, the same change."""
        return self.op, self.remedy or re.sub(r"\d+", "#", self.reason)


class Refusals:
    """Collects refusals; `unit` is what the places count: operators of a file, layers."""

    def __init__(self, unit: str = "operator") -> None:
        self._unit = unit
        self._errors: list[RowforgeError] = []
        self._found: dict[str, Refusal] = {}

    def add(self, error: RowforgeError, refusal: Refusal) -> None:
        """Notes a refusal; a second one of the same operator is dropped."""
        if refusal.place not in self._found:
            self._found[refusal.place] = refusal
            self._errors.append(error)

    def __len__(self) -> int:
        return len(self._found)

    @property
    def types(self) -> set[str]:
        """Types of the refused operators."""
        return {refusal.op for refusal in self._found.values()}

    def only(self, types: set[str]) -> "Refusals":
        """Those of some types of operator."""
        chosen = Refusals(self._unit)
        for error, refusal in zip(self._errors, self._found.values(), strict=True):
            if refusal.op in types:
                chosen.add(error, refusal)
        return chosen

    def raise_any(self) -> None:
        """Raises what was collected: nothing, the one error as it came, or all in groups."""
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            self._raise_several()

    def _raise_several(self) -> NoReturn:
        groups: dict[tuple[str, str], list[Refusal]] = {}
        for refusal in self._found.values():
            groups.setdefault(refusal.group, []).append(refusal)
        lines = [self._described(group) for group in groups.values()]
        if len(lines) > _GROUPS:
            lines = [*lines[:_GROUPS], f"and {len(lines) - _GROUPS} more kinds"]
        raise ModelRefusedError(f"{len(self)} {self._unit}s cannot run:", lines)

    def _described(self, group: list[Refusal]) -> str:
        places = [refusal.place for refusal in group]
        named = ", ".join(places[:_PLACES])
        if len(places) > _PLACES:
            named += f" and {len(places) - _PLACES} more"
        shown = max(group, key=_demand) if self._unit == "layer" else group[0]
        reason, plural = shown.reason, "" if len(group) == 1 else "s"
        if any(refusal.reason != reason for refusal in group):
            reason = f"for {self._unit} {shown.place}, {reason}"
        remedy = f"; {shown.remedy}" if shown.remedy else ""
        return (
            f"{len(group)} x {shown.op or NO_TYPE} ({self._unit}{plural} {named}): {reason}{remedy}"
        )


def _demand(refusal: Refusal) -> int:
    """The number that a field must have at least: the greatest of a group serves all its layers."""
    return max(map(int, re.findall(r"at least (\d+)", refusal.reason)), default=0)


def located(where: object, error: RowforgeError) -> RowforgeError:
    """The same refusal with the file, or what else it is about, in front."""
    if isinstance(error, ModelRefusedError):
        return ModelRefusedError(f"{where}: {error.heading}", error.groups)
    return RowforgeError(f"{where}: {_line(str(error))}")


def _line(text: str) -> str:
    """The text on one line: names in a model file may hold anything."""
    return " ".join(text.split())
