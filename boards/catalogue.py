"""All boards."""

from boards import (
    arty_a7,
    ecpix5,
    icebreaker,
    orangecrab,
    pynq_z2,
    tang_nano_20k,
    ulx3s,
)
from boards.common.board import Board
from hw.arch.errors import RowforgeError

BOARDS = {
    board.name: board
    for board in (
        ulx3s.BOARD,
        orangecrab.BOARD_25F,
        orangecrab.BOARD_85F,
        ecpix5.BOARD,
        tang_nano_20k.BOARD,
        icebreaker.BOARD,
        arty_a7.BOARD,
        pynq_z2.BOARD,
    )
}


def board(name: str) -> Board:
    """The board of that name; `RowforgeError` if there is none."""
    if name not in BOARDS:
        raise RowforgeError(f"--board must be one of {', '.join(BOARDS)}, not {name!r}")
    return BOARDS[name]
