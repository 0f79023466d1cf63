"""What was said to an accelerator and what it answered is counted word by word."""

from typing import Any

import pytest

from hw.arch.commands import (
    CONSTANTS,
    LOOP,
    REGION,
    RESULT,
    START,
    Opcode,
    ResultBlock,
    Status,
    begin,
    command,
)
from hw.arch.counters import COUNTERS
from rowforge.configs import preset
from sim.coverage.functional import FunctionalCoverage

CONFIG = preset("tiny")
START_OF_ALL = begin(1)


def seen(functional: FunctionalCoverage) -> set[str]:
    return {name for name, count in functional.counts.items() if count}


def after(*words: int) -> set[str]:
    functional = FunctionalCoverage(CONFIG)
    functional.sent([*START_OF_ALL, *words])
    return seen(functional)


def test_fields_are_seen_at_their_ends() -> None:
    region = REGION.pack({"address": (1 << 20) - 1, "run": 5})
    found = after(*command(Opcode.LOAD, region, length=1), 7, *command(Opcode.END))
    assert {"command LOAD", "command END", "field region.address highest"} <= found
    assert "field region.rows lowest" in found
    assert not {"field region.address lowest", "field region.run lowest"} & found


def test_all_records_of_a_convolution_are_seen() -> None:
    start = START.pack({"constants": 1, "loops": 2})
    loops = [*LOOP.pack({"count": 9}), *LOOP.pack({"y": -(1 << 15)})]
    constants = CONSTANTS.pack({"weight_zero": 255})
    found = after(*command(Opcode.CONV, [*start, *constants, *loops]))
    assert {"field loop.y lowest", "field conv_constants.weight_zero highest"} <= found
    assert "field conv_start.y highest" not in found


@pytest.mark.parametrize("flip", range(3))
def test_what_cannot_be_read_ends_the_program(flip: int) -> None:
    """A header or descriptor with a wrong sum, and all after it, was not said."""
    words = command(Opcode.LOAD, REGION.pack({"words": 3}), length=0)
    words[flip] ^= 1 << 9
    found = after(*words, *command(Opcode.IDENTIFY))
    assert not any(name.startswith("command") for name in found)


def test_answers_may_come_in_pieces() -> None:
    functional = FunctionalCoverage(CONFIG)
    names = [field.name for field in COUNTERS.fields]
    block = [0] * len(names)
    block[names.index("stall_filter")] = 4
    words = RESULT.pack({"block": ResultBlock.COUNTERS, "length": len(block)}) + block
    status = {"block": ResultBlock.STATUS, "status": Status.BAD_FIELD, "length": 1}
    words += [*RESULT.pack(status), 3]
    for word in words:
        functional.received([word])
    assert seen(functional) == {
        "block COUNTERS",
        "counter stall_filter",
        "block STATUS",
        "status BAD_FIELD",
    }


def test_a_reset_ends_an_answer() -> None:
    functional = FunctionalCoverage(CONFIG)
    functional.received(RESULT.pack({"block": ResultBlock.DATA, "length": 9}))
    functional.reset()
    functional.received([*RESULT.pack({"block": ResultBlock.STATUS, "length": 1}), 0])
    assert seen(functional) == {"block STATUS", "status OK"}


def test_points_follow_from_the_configuration() -> None:
    names = set(FunctionalCoverage(CONFIG).counts)
    assert "command MEMORY" not in names and "status BAD_CODE" not in names
    assert "command LOAD" in names and "counter stall_psum_in" in names
    assert "status BAD_RANGE" not in names  # a replayer's


class Copies(list[int]):
    """Words that count how many of them slices have copied."""

    copied = 0

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        self.copied += len(found) if isinstance(key, slice) else 0
        return found


def test_long_streams_are_read_once() -> None:
    """Each command copies what it consists of, and nothing of those after it."""
    commands = [word for _ in range(400) for word in command(Opcode.IDENTIFY)]
    words = Copies([*START_OF_ALL, *commands])
    functional = FunctionalCoverage(CONFIG)
    functional.sent(words)
    assert functional.counts["command IDENTIFY"] == 400
    assert words.copied < 2 * START.words * len(words)
