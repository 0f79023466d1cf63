"""Command streams that are wrong: refused, with a field at its end, damaged, cut off.

What an accelerator does with them is its own affair, but after a reset it must compute as ever.
"""

from collections.abc import Iterator
from random import Random

import numpy as np

from hw.arch.commands import (
    BEGIN,
    CODE,
    CONSTANTS,
    HEADER,
    INDEX,
    LOOP,
    LOOPS,
    MAGIC,
    REGION,
    START,
    VECTOR,
    Opcode,
    Status,
    begin,
    checksum,
    command,
)
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.fields import Struct
from tb.models.program import Phase
from tb.models.refusals import REFUSALS, STARTS, refused
from tests.campaigns.coverage.device import CoveredDevice

_LIMIT, _IDLE = 1500, 300  # cycles that a wrong program gets
_KEPT = 3  # words of a good start
_LONG = 300  # cycles that a program gets whose fields are at their ends


def refusals(config: Config) -> Iterator[tuple[str, Phase]]:
    """Every refusal that takes no watchdog to be noticed."""
    for name, make in REFUSALS.items():
        if make(config)[1] is not Status.WATCHDOG:
            yield name, refused(config, name, [] if name in STARTS else begin(config_hash(config)))


def refuse(device: CoveredDevice, phase: Phase) -> None:
    """Run a refusal and compare the answer."""
    device.send(np.array(phase.words, dtype=np.uint64))
    answer = device.receive(len(phase.expected)).tolist()
    wanted = zip(answer, phase.expected, phase.masks, strict=True)
    assert all(not (got ^ want) & mask for got, want, mask in wanted)


def watchdog(device: CoveredDevice) -> None:
    """A host that falls silent within a command: the watchdog answers."""
    config = device.config
    refuse(device, refused(config, "LOAD without its words", begin(config_hash(config))))


def at_the_ends(config: Config) -> Iterator[list[int]]:
    """Programs of one command each, of which a field is at its lowest or highest value."""
    start = begin(config_hash(config))
    for opcode, struct in (
        (Opcode.ROWS, INDEX),
        (Opcode.LOAD, REGION),
        (Opcode.STORE, REGION),
        (Opcode.VECTOR, VECTOR),
    ):
        for values in _ends(struct):
            yield [*start, *_whole(command(opcode, struct.pack(values)), 4)]
    for values in _ends(HEADER):
        values["opcode"] = Opcode.COUNTERS
        header = HEADER.pack({**values, "checksum": 0})[0]
        yield [*start, header | checksum(header, []) << HEADER.offsets["checksum"], 0, 0]
    for values in _ends(BEGIN):
        yield [MAGIC, *BEGIN.pack(values), *command(Opcode.END)]
    for part, struct in enumerate((START, CONSTANTS, LOOP)):
        for values in _ends(struct):
            yield [*start, *_conv(part, struct.pack(values))]
    for values in _ends(CODE):
        region = REGION.pack({"run": 8, "rows": 1, "planes": 1, "words": 4, "coded": 1})
        payload = CODE.pack(values)
        yield [*start, *command(Opcode.STORE, region, length=len(payload)), *payload]


def _ends(struct: Struct) -> Iterator[dict[str, int]]:
    yield {field.name: field.low for field in struct.fields if field.signed}
    yield {field.name: field.high for field in struct.fields}
    for field in struct.fields:
        yield {field.name: field.high}
        yield {item.name: item.high for item in struct.fields if item is not field}


def _conv(part: int, words: list[int]) -> list[int]:
    """CONV with all its records, of which one is given and the others are plain."""
    records = [
        START.pack({"constants": 1, "loops": LOOPS}),
        CONSTANTS.pack({"psums": 1, "steps": 1, "taps": 1, "windows": 1}),
        LOOP.pack({"count": 1}),
    ]
    records[part] = words
    start = START.unpack(records[0])
    if not start["constants"]:
        return command(Opcode.CONV, records[0])
    return command(
        Opcode.CONV, [*records[0], *records[1], *records[2] * min(start["loops"], LOOPS)]
    )


def _whole(words: list[int], payload: int) -> list[int]:
    """A command with so many words of payload, and the right checksum."""
    header = words[0] & ~(0xFFFF << HEADER.offsets["checksum"])
    header |= payload << HEADER.offsets["length"]
    return [
        header | checksum(header, words[1:]) << HEADER.offsets["checksum"],
        *words[1:],
        1,
        2,
        3,
        4,
    ]


def anything(config: Config, random: Random) -> list[int]:
    """A program of some commands with random descriptors and payloads, the sums all right."""
    words = begin(config_hash(config))
    for _ in range(random.randint(1, 4)):
        opcode = random.choice(list(Opcode))
        length = random.choice((0, 0, 1, 2, 4, 9, 20))
        waits = {name: random.getrandbits(1) for name in ("fence", "stored")}
        words += command(
            opcode, _descriptor(opcode, random), length=length, tag=random.getrandbits(16), **waits
        )
        words += [random.getrandbits(64) for _ in range(length)]
    return [*words, *command(Opcode.END)]


def _descriptor(opcode: Opcode, random: Random) -> list[int]:
    if opcode is Opcode.CONV:
        loops = random.randint(0, LOOPS)
        start = {**_drawn(START, random), "loops": loops, "constants": 1, "decoded": 0}
        constants = {**_drawn(CONSTANTS, random), "resident": 0}
        nest = [word for _ in range(loops) for word in LOOP.pack(_drawn(LOOP, random))]
        return [*START.pack(start), *CONSTANTS.pack(constants), *nest]
    if opcode is Opcode.VECTOR:
        return VECTOR.pack({**_drawn(VECTOR, random), "op": random.randint(0, 4)})
    if opcode in (Opcode.LOAD, Opcode.STORE):
        return REGION.pack({**_drawn(REGION, random), "coded": 0})
    if opcode in (Opcode.END, Opcode.COUNTERS, Opcode.IDENTIFY):
        return []
    return INDEX.pack({"first": random.getrandbits(7), "count": random.getrandbits(4)})


def _drawn(struct: Struct, random: Random) -> dict[str, int]:
    """Random values, of small sizes as often as of large ones."""
    return {
        field.name: min(
            max(random.getrandbits(random.randint(1, field.width)), field.low), field.high
        )
        if random.random() < 0.8
        else random.randint(field.low, field.high)
        for field in struct.fields
    }


def damaged(words: list[int], random: Random) -> list[int]:
    """A good program with some bits flipped, words lost or doubled, or cut off."""
    words = list(words)
    for _ in range(random.randint(1, 3)):
        if len(words) <= _KEPT + 1:
            break
        place = random.randrange(_KEPT, len(words))
        kind = random.randrange(4)
        if kind == 0:
            words[place] ^= 1 << random.randrange(64)
        elif kind == 1:
            del words[place]
        elif kind == 2:
            words.insert(place, words[place])
        else:
            words = words[: max(_KEPT + 1, place)]
    return words


def provoke_all(device: CoveredDevice, random: Random, good: list[int], count: int) -> int:
    """Send programs at their ends, random ones and damaged ones; how many there were."""
    sent = 0
    for words in at_the_ends(device.config):
        device.provoke(words, limit=_LONG, idle=_IDLE)
        sent += 1
    for _ in range(count):
        device.stall(random.choice((None, random.getrandbits(20))))
        device.provoke(anything(device.config, random), limit=_LIMIT, idle=_IDLE)
        device.provoke(damaged(good, random), limit=_LIMIT, idle=_IDLE)
        sent += 2
    device.stall(None)
    return sent
