"""The best of a front placed and routed for the space's board: `placed`."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from boards.catalogue import board
from hw.arch.errors import RowforgeError
from rowforge.exploring.search import Trial
from rowforge.exploring.space import SearchSpace
from rowforge.reports.texttable import Column, text_table

_SEED = 1  # of place and route
_NOTHING = dict.fromkeys(("luts", "registers", "block_rams", "multipliers", "fmax_mhz", "met"))
_COLUMNS = (
    Column("trial", "trial"),
    Column("LUTs", "luts"),
    Column("block RAMs", "block_rams"),
    Column("multipliers", "multipliers"),
    Column("MHz", "fmax_mhz", ".1f"),
    Column("wanted", "target_mhz", "g"),
    Column("clock", "clock", left=True),
)


def check_placing(space: SearchSpace) -> None:
    """Refuse, before anything is searched, what cannot be placed.

    Raises `RowforgeError` for a space without a board, a start that the board's link or memory does
    not suit, and without nextpnr.
    """
    if space.board is None:
        raise RowforgeError("--place needs a space that names a board, for which it places")
    from boards.flows import check_programs  # amaranth is slow to import

    target = board(space.board)
    target.check_memory(space.start.memory)
    check_programs(target)


def placed(
    space: SearchSpace,
    front: Sequence[Trial],
    count: int,
    folder: Path,
    show: Callable[[str], None],
) -> list[dict[str, Any]]:
    """What nextpnr makes of the first points of a front, best by the first objective.

    Each is built as `rowforge build` does, board's link included, in a folder of its own.

    Parameters
    ----------
    space : SearchSpace
        With a board.
    front : trials
    count : how many of them
    folder : takes `placed/trial_N` with sources, logs and, if the clock is met, the bitstream
    show : is told what is being done

    A row has `trial`; `luts`, `registers`, `block_rams` and `multipliers`; `fmax_mhz`, `target_mhz`
    and `met`; and `refusal`: a sentence, in place of figures, if a point finds no place.
    """
    from boards.flows import build  # amaranth is slow to import

    assert space.board is not None
    target = board(space.board)
    rows = []
    for trial in front[:count]:
        row: dict[str, Any] = {"trial": trial.number, "target_mhz": target.clock / 1e6}
        try:
            report = build(
                target,
                trial.config(space),
                folder / "placed" / f"trial_{trial.number:05d}",
                _SEED,
                partial(_told, show, trial.number),
            )
        except RowforgeError as error:
            rows.append({**row, **_NOTHING, "refusal": " ".join(str(error).split())})
            continue
        figures = {
            "luts": report.lut,
            "registers": report.ff,
            "block_rams": report.block_ram,
            "multipliers": report.dsp,
            "fmax_mhz": report.fmax_mhz,
            "met": report.met,
        }
        rows.append({**row, **figures, "refusal": ""})
    return rows


def _told(show: Callable[[str], None], number: int, said: str) -> None:
    show(f"trial {number}: {said}")


def placed_text(rows: Sequence[dict[str, Any]]) -> str:
    """The rows for a reader, and in a line each why a point was not placed."""
    said = {None: "not placed", False: "missed", True: "met"}
    shown = [{**row, "clock": said[row["met"]]} for row in rows]
    refused = [f"trial {row['trial']}: {row['refusal']}" for row in rows if row["refusal"]]
    return "\n".join([text_table(_COLUMNS, shown, total=False), *refused])
