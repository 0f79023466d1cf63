"""What the firmware answers to programs that it refuses."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from hw.arch.commands import (
    CONSTANTS,
    INDEX,
    MAGIC,
    REGION,
    RESULT,
    START,
    VECTOR,
    Opcode,
    Rounding,
    Status,
    VectorOp,
    begin,
    command,
)
from hw.arch.config.file import config_hash
from hw.arch.config.identity import identity_words
from hw.arch.entries import PARAM, TABLE
from hw.arch.fields import WORD_BITS
from hw.arch.patterns import COLUMNS, PATTERN
from sim.functional import FunctionalAccelerator
from sw_driver.protocol.errors import LinkError
from tests.hw.microcontroller.cases import CONFIG
from tests.hw.microcontroller.host import FirmwareLink

HASH = config_hash(CONFIG)
END = command(Opcode.END)
IDENTIFY = command(Opcode.IDENTIFY)


def index(opcode: Opcode, first: int, count: int, length: int) -> list[int]:
    """A command that fills a memory with `length` words of 0."""
    descriptor = INDEX.pack({"first": first, "count": count})
    return command(opcode, descriptor, length=length) + [0] * length


def payload(opcode: Opcode, words: list[int], count: int = 1) -> list[int]:
    """A command that fills `count` entries from 0 on with these words."""
    descriptor = INDEX.pack({"first": 0, "count": count})
    return command(opcode, descriptor, length=len(words)) + words


def region(opcode: Opcode, *, length: int = 0, tag: int = 0, **fields: int) -> list[int]:
    """LOAD or STORE of a box of two words, or of these `fields`; a payload of 1, 2, 3 ..."""
    values = {"address": 8, "run": 2, "rows": 1, "planes": 1, "words": 1, **fields}
    payload = list(range(1, length + 1))
    return command(opcode, REGION.pack(values), length=length, tag=tag) + payload


def vector(*, stray: int = -1, **fields: int) -> list[int]:
    """A VECTOR of one value; `stray`: a bit that is set besides and means nothing."""
    values = {"blocks": 1, "rows": 1, "columns": 1, "window_rows": 1, "window_columns": 1}
    words = VECTOR.pack({**values, **fields})
    if stray >= 0:
        words[stray // WORD_BITS] |= 1 << stray % WORD_BITS
    return command(Opcode.VECTOR, words)


def damaged(words: list[int]) -> list[int]:
    """The same with a wrong checksum."""
    return [words[0] ^ 1 << 8, *words[1:]]


MAXIMUM = {
    "op": VectorOp.MAX,
    "height": 1,
    "width": 1,
    "output": 4,
}
LIMIT = CONFIG.act_banks * CONFIG.buffer.depth
AS_THE_EXECUTOR = {
    "nothing": [],
    "version": [MAGIC, begin(HASH)[1] + 1],
    "configuration": begin(HASH + 1),
    "guest": begin(0) + IDENTIFY + region(Opcode.STORE),
    "guest's end": begin(0) + IDENTIFY + END,
    "no command": begin(HASH) + [31],
    "opcode 0": begin(HASH) + [0],
    "checksum": begin(HASH) + damaged(IDENTIFY),
    "checksum of a descriptor": begin(HASH) + damaged(region(Opcode.STORE)),
    "length of END": begin(HASH) + command(Opcode.END, length=2),
    "length of STORE": begin(HASH) + region(Opcode.STORE, length=3),
    "length of LOAD": begin(HASH) + region(Opcode.LOAD, length=3),
    "length of VECTOR": begin(HASH) + command(Opcode.VECTOR, [0] * VECTOR.words, length=1),
    "length of PARAMS": begin(HASH) + index(Opcode.PARAMS, 0, 2, 2 * PARAM.words - 1),
    "length of TABLE": begin(HASH) + index(Opcode.TABLE, 0, 2, 2 * TABLE.words + 1),
    "row pattern": begin(HASH) + index(Opcode.ROWS, 0, 1, 5),
    "place of a pattern": begin(HASH) + index(Opcode.COLS, CONFIG.control.col_patterns, 1, 2),
    "long pattern": begin(HASH) + payload(Opcode.ROWS, [200, 0, 0]),
    "pattern without words": begin(HASH) + payload(Opcode.ROWS, [2, 1, 0, 5], 2),
    "pattern that is cut off": begin(HASH) + payload(Opcode.ROWS, [2, 1, 4, 1, 2], 2),
    "pattern that does not come": begin(HASH) + payload(Opcode.COLS, [2, 1], 2),
    "words after the last pattern": begin(HASH) + payload(Opcode.COLS, [2, 1, 2, 1, 5]),
    "parameter": begin(HASH) + index(Opcode.PARAMS, 63, 2, 2 * PARAM.words),
    "length of SHORT_PARAMS": begin(HASH) + index(Opcode.SHORT_PARAMS, 0, 9, 10),
    "short parameter": begin(HASH) + index(Opcode.SHORT_PARAMS, 63, 2, 3),
    "table entry": begin(HASH) + index(Opcode.TABLE, 256, 1, TABLE.words),
    "weight memory": begin(HASH) + index(Opcode.MEMORY, 128, 1, 1),
    "words for channels": begin(HASH) + region(Opcode.LOAD, length=3, run=9, words=3, channels=2),
    "after the buffer": begin(HASH) + region(Opcode.LOAD, address=LIMIT - 1, length=1),
    "code of filters": begin(HASH)
    + command(
        Opcode.CONV,
        [*START.pack({"constants": 1, "decoded": 3}), *CONSTANTS.pack({})],
        length=2,
    )
    + [1, 2],
    "operation": begin(HASH) + vector(op=5),
    "mode": begin(HASH) + vector(op=VectorOp.MAX, mode=7),
    # It stays where END, which has no descriptor, is looked at.
    "coded in no LOAD": begin(HASH)
    + index(Opcode.PARAMS, 0, 4, 4 * PARAM.words)
    + region(Opcode.LOAD, length=1, address=0)
    + vector(**MAXIMUM, stray=REGION.offsets["coded"])
    + END,
}


def run(words: Sequence[int], folder: Path) -> list[int]:
    link = FirmwareLink(CONFIG, folder)
    link.send(np.array(words, dtype=np.uint64))
    return [int(word) for word in link.results()]


def split(words: Sequence[int]) -> list[tuple[dict[str, int], list[int]]]:
    """Blocks of a result stream: header fields and words."""
    blocks, place = [], 0
    while place < len(words):
        header = RESULT.unpack([words[place]])
        end = place + 1 + header["length"]
        assert end <= len(words)
        blocks.append((header, list(words[place + 1 : end])))
        place = end
    return blocks


@pytest.mark.parametrize("name", AS_THE_EXECUTOR)
def test_statuses_are_those_of_the_executor(name: str, tmp_path: Path) -> None:
    """With what follows: words that no program has, and a program that is none the worse."""
    stray = [5, MAGIC + 1, 0]
    words = stray + AS_THE_EXECUTOR[name] + stray + begin(HASH) + IDENTIFY + END
    wanted = FunctionalAccelerator(CONFIG)
    wanted.send(np.array(words, dtype=np.uint64))
    expected = []
    with suppress(LinkError):  # there are no more
        while True:
            expected.append(int(wanted.receive(1)[0]))
    actual = split(run(words, tmp_path))
    assert [(b["block"], b["status"], w) for b, w in actual] == [
        (b["block"], b["status"], w) for b, w in split(expected)
    ]
    assert actual[-2][1] == identity_words(CONFIG)


def test_a_status_has_the_tag_of_its_command(tmp_path: Path) -> None:
    blocks = split(run(begin(HASH) + region(Opcode.STORE, length=1, tag=77), tmp_path))
    assert [(b["status"], b["tag"]) for b, _ in blocks] == [(Status.BAD_LENGTH, 77)]


def test_a_load_is_stored_again(tmp_path: Path) -> None:
    """Three words by two: the second row's last link word is half empty."""
    box = {"run": 3, "rows": 1, "planes": 3, "plane_stride": 7, "words": 5}
    words = begin(HASH) + region(Opcode.LOAD, length=5, **box)
    words += region(Opcode.STORE, tag=9, **box) + END
    (data, loaded), (status, _) = split(run(words, tmp_path))
    assert data["tag"] == 9
    assert loaded == [1, 2, 3, 4, 5]
    assert status["status"] == Status.OK


@pytest.mark.parametrize(
    "fields, status, value, expected",
    [
        ({"address": LIMIT - 3, "words": 4}, Status.BAD_ADDRESS, LIMIT, [4 << 32, 0, 0, 0]),
        ({"words": 6}, Status.BAD_LENGTH, Opcode.STORE, [1, 2, 3, 4, 0, 0]),
        ({"words": 3}, Status.BAD_LENGTH, Opcode.STORE, [1, 2, 3]),
    ],
    ids=["address", "short", "long"],
)
def test_a_block_is_as_long_as_it_says(
    fields: dict[str, int], status: Status, value: int, expected: list[int], tmp_path: Path
) -> None:
    """As in hardware: zeros fill it up, then comes the error."""
    fill = region(Opcode.LOAD, length=4, address=LIMIT - 8, run=8, words=4)
    fill += region(Opcode.LOAD, length=4, run=8, words=4)
    words = begin(HASH) + fill + region(Opcode.STORE, run=8, **fields)
    (data, stored), (failed, values) = split(run(words, tmp_path))
    assert stored == expected
    assert data["length"] == len(expected)
    assert (failed["status"], values) == (status, [value])


@pytest.mark.parametrize("words, value", [(3, 0), (5, 1)], ids=["long", "short"])
def test_a_load_ends_with_its_box(words: int, value: int, tmp_path: Path) -> None:
    load = region(Opcode.LOAD, length=words, run=8, words=words)
    ((header, values),) = split(run(begin(HASH) + load, tmp_path))
    assert (header["status"], values) == (Status.BAD_LENGTH, [value])


def test_vector_has_no_mode_of_other_widths(tmp_path: Path) -> None:
    for fields, value in (
        ({"op": VectorOp.ADD16}, VectorOp.ADD16),
        ({"op": VectorOp.SUM, "mode": Rounding.WIDE16}, Rounding.WIDE16),
        ({"op": VectorOp.SUM, "mode": Rounding.RAW}, Rounding.RAW),
    ):
        ((header, values),) = split(run(begin(HASH) + vector(**fields), tmp_path))
        assert (header["status"], values) == (Status.BAD_FIELD, [value])


# ---- the watchdog -------------------------------------------------------------------------------


def stuck(words: list[int], folder: Path) -> tuple[dict[str, int], list[int]]:
    """The status of a program of which no more comes; the next program runs."""
    link = FirmwareLink(CONFIG, folder)
    link.send_part(np.array(words, dtype=np.uint64))
    (blocked,) = split([int(word) for word in link.results()])
    link.send(np.array(begin(HASH) + END, dtype=np.uint64))
    assert split([int(word) for word in link.results()])[0][0]["status"] == Status.OK
    return blocked


@pytest.mark.parametrize(
    "words, opcode",
    [
        (begin(HASH)[:2], 0),
        (begin(HASH) + region(Opcode.STORE)[:1], Opcode.STORE),
        (begin(HASH) + region(Opcode.LOAD, length=4, run=8, words=4)[:-2], Opcode.LOAD),
        (begin(HASH) + index(Opcode.PARAMS, 0, 3, 3 * PARAM.words)[:-1], Opcode.PARAMS),
    ],
    ids=["hash", "descriptor", "box", "entries"],
)
def test_who_waits_for_words_is_stuck(words: list[int], opcode: int, tmp_path: Path) -> None:
    header, values = stuck(words, tmp_path)
    assert (header["status"], values) == (Status.WATCHDOG, [opcode])


def test_a_pass_that_never_ends_is_stuck(tmp_path: Path) -> None:
    """No row is active: no psum will ever come."""
    ones = dict.fromkeys(("windows", "steps", "taps", "psums", "channels", "advance"), 1)
    start = START.pack({"constants": 1})
    convolution = command(Opcode.CONV, start + CONSTANTS.pack(ones))
    patterns = payload(Opcode.ROWS, PATTERN.pack({"words": 2, "segments": 1}) + [0])
    patterns += payload(Opcode.COLS, COLUMNS.pack({"words": 2, "columns": 1}) + [0])
    header, values = stuck(begin(HASH) + patterns + convolution, tmp_path)
    assert (header["status"], values) == (Status.WATCHDOG, [Opcode.CONV])
