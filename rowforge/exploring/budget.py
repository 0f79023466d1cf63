"""What a configuration of a search may take: `CellBudget`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boards.catalogue import board
from hw.arch.errors import RowforgeError
from rowforge.area.cells import CellCount

_NAMES = ("luts", "registers", "block_rams", "multipliers")
_LINK_BLOCK_RAMS = 4  # of a board's serial link, which the accelerator's own cells are without
_FAMILY = "ecp5"


@dataclass(frozen=True)
class CellBudget:
    """Cells at most, by name as in `CellCount`; what is not named is not limited."""

    limits: Mapping[str, int]

    def excess(self, cells: CellCount) -> dict[str, float]:
        """Of each limit how far it is exceeded, as a share of it; 0 or less: it is kept."""
        return {name: getattr(cells, name) / most - 1 for name, most in self.limits.items()}


def read_budget(table: Mapping[str, Any], named: str | None) -> CellBudget:
    """The budget of a space.

    Parameters
    ----------
    table : `board`, whose part is the budget, or `luts`, `registers`, `block_rams`, `multipliers`
    named : the space's own board, whose part is the budget where the table says nothing

    Raises `RowforgeError` for a part whose cells no model counts, for areas, and unknown names.
    """
    if "um2" in table:
        raise RowforgeError(
            "budget.um2 cannot be kept: there is no model of areas in µm² whose error is known; "
            "name a board or luts, block_rams and multipliers of an ECP5"
        )
    for name, value in table.items():
        if name not in (*_NAMES, "board"):
            raise RowforgeError(
                f"a budget has no field {name!r}; known: board, {', '.join(_NAMES)}"
            )
        if name != "board" and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise RowforgeError(f"budget.{name} must be a whole number above 0, not {value!r}")
    limits = _part(table.get("board", named)) if table.get("board", named) is not None else {}
    return CellBudget({**limits, **{name: table[name] for name in _NAMES if name in table}})


def _part(name: str) -> dict[str, int]:
    chosen = board(name)
    if chosen.family != _FAMILY:
        raise RowforgeError(
            f"budget.board must have an ECP5, for which areas are modelled, not {name} "
            f"({chosen.part})"
        )
    part = chosen.budget
    return {
        "luts": part.lut,
        "registers": part.ff,
        "block_rams": part.block_ram - _LINK_BLOCK_RAMS,
        "multipliers": part.dsp,
    }
