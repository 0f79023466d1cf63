"""The replayer does as the one without time, whatever is damaged or refused."""

import random

import pytest

from hw.arch.commands import MAGIC, ResultBlock, Status
from hw.arch.images.messages import MEMORY_MAGIC, MESSAGE, RANGE_BITS, MemoryRange, Message, message
from hw.arch.images.records import RECORD, Base, RecordKind, record
from tests.hw.replay.bench import (
    COUNTERS,
    DATA,
    END,
    FAIL,
    WORDS,
    blocks,
    config,
    core_word,
    expected,
    image,
    run,
)

INPUT, IMAGE_AT, SPILLS, OUTPUT = 16, 128, 640, 800


def write(address, words):
    return [*message(Message.WRITE, address=address, words=len(words)), *words]


def read(address, words):
    return message(Message.READ, address=address, words=words)


def replay(words, number, **fields):
    """A RUN of an image at `IMAGE_AT`."""
    areas = {"input": INPUT, "output": OUTPUT}
    return message(
        Message.RUN, number=number, address=IMAGE_AT, words=len(words), **{**areas, **fields}
    )


def outcomes(answers):
    """Status, value and number of each RUN block."""
    return [
        (Status(header["status"]), words[0], header["tag"])
        for header, words in blocks(answers)
        if header["block"] == ResultBlock.RUN
    ]


def without_cycles(answers):
    """The blocks; of RUN blocks without what no model has."""
    return [
        (header, words[:1] if header["block"] == ResultBlock.RUN else words)
        for header, words in blocks(answers)
    ]


def random_records(rng, width):
    """Records that may follow one another, and the blocks that they cause."""
    units = 64 // min(width, 64)
    records, count, stored, spilled = [], 0, [], 0
    for _ in range(rng.randrange(3, 7)):
        kind = rng.choice(("inline", "keep", "leave", "count", "gather", "input"))
        if kind == "inline":
            words = [rng.getrandbits(40) for _ in range(rng.choice((1, 2, 7, 90)))]
            records += [*record(RecordKind.INLINE, run=len(words)), *words]
        elif kind in ("keep", "leave"):
            size = rng.choice((1, 3, 70))
            if kind == "keep" and spilled + size > OUTPUT - SPILLS:
                continue
            base = rng.choice((Base.LINK, Base.OUTPUT)) if kind == "leave" else Base.ABSOLUTE
            place = {"address": SPILLS + spilled} if kind == "keep" else {}
            records += record(RecordKind.SCATTER, base=base, run=size, **place)
            records += [*record(RecordKind.INLINE, run=1), core_word(DATA, size)]
            count += 1
            if base is not Base.LINK:
                stored.append((spilled if kind == "keep" else None, size))
                spilled += size if kind == "keep" else 0
        elif kind == "count":
            records += [*record(RecordKind.INLINE, run=1), core_word(COUNTERS, 4)]
            count += 1
        elif kind == "gather" and spilled:
            records += record(RecordKind.WAIT, address=sum(size for _, size in stored))
            records += gathers(rng, SPILLS, spilled, Base.ABSOLUTE, units)
        elif kind == "input":
            records += gathers(rng, 0, 64, Base.INPUT, units)
    records += [*record(RecordKind.INLINE, run=1), core_word(END)]
    return records, count


def gathers(rng, first, words, base, units):
    """A payload of one to three GATHERs out of so many words."""
    records = []
    parts = rng.randrange(1, 4)
    for part in range(parts):
        run = rng.randrange(1, min(words * units, 40) + 1)
        start = rng.randrange(words * units - run + 1)
        spare = words * units - run - start
        rows = rng.randrange(1, 5)
        pitch = spare // (rows - 1) if rows > 1 else rng.randrange(9)
        records += record(
            RecordKind.GATHER,
            base=base,
            address=first + start // units,
            half=start % units,
            run=run,
            rows=rows,
            pitch=pitch,
            last=part == parts - 1,
        )
    return records


@pytest.mark.parametrize(("width", "stalls"), [(32, 0.3), (64, 0.0), (128, 0.3)])
def test_random_images_run_as_without_time(width, stalls):
    rng = random.Random(f"{width} {stalls}")
    build = config(width)
    words = write(INPUT, [rng.getrandbits(64) for _ in range(64)])
    for number in range(1, 3):
        made = image(build, *random_records(rng, width))
        words += write(IMAGE_AT, made)
        words += replay(made, number, repeat=number == 2)
        words += read(SPILLS, 100) + read(OUTPUT, 75)
    answers, core = run(build, words, stalls=stalls, latency=rng.choice((1, 3, 9)))
    assert all(status is Status.OK for status, _, _ in outcomes(answers))
    wanted, taken = expected(build, words)
    assert (without_cycles(answers), core.taken) == (without_cycles(wanted), taken)


def test_a_run_of_the_number_before_is_answered_and_not_executed():
    build = config()
    records = [
        *record(RecordKind.SCATTER, run=2, address=SPILLS),
        *record(RecordKind.INLINE, run=2),
    ]
    made = image(build, [*records, core_word(DATA, 2), core_word(END)], 1)
    words = [*write(IMAGE_AT, made), *replay(made, 7), *replay(made, 7), *read(SPILLS, 2)]
    answers, core = run(build, [*words, *replay(made, 8), *replay(made, 7), *read(SPILLS, 2)])
    found = blocks(answers)
    run_block, memory = ResultBlock.RUN, ResultBlock.MEMORY
    kinds = [run_block, run_block, memory, run_block, run_block, memory]
    assert [header["block"] for header, _ in found] == kinds
    assert found[0] == found[1] and found[0][1][1] > 0
    assert found[2][1] == [0, 1] and found[5][1] == [2000, 2001]
    assert core.taken.count(core_word(END)) == 3


def test_damage_anywhere_in_an_image_ends_with_an_error_and_the_next_run_is_right():
    build = config()
    records = [
        *record(RecordKind.SCATTER, run=3, address=SPILLS),
        *record(RecordKind.INLINE, run=3),
        *(5, core_word(DATA, 3), 6),
        *record(RecordKind.WAIT, address=3),
        *record(RecordKind.GATHER, address=SPILLS, run=3, rows=1, last=1),
        *record(RecordKind.INLINE, run=1),
        core_word(END),
    ]
    good = image(build, records, 1)
    rng = random.Random(3)
    words, number = write(INPUT, range(8)), 0
    # Words that are the core's to check are left alone: those that say what it does.
    theirs = {word for word, value in enumerate(good) if value >> 48 == 0xC0DE}
    places = [(word, rng.randrange(64)) for word in range(len(good)) if word not in theirs]
    places = [places[0], places[-1], *rng.sample(places[1:-1], 3)]
    for word, bit in places:
        bad = list(good)
        bad[word] ^= 1 << bit
        words += write(IMAGE_AT, bad) + replay(bad, number + 1)
        words += write(IMAGE_AT, good) + replay(good, number + 2)
        number += 2
    answers, _ = run(build, words)
    found = outcomes(answers)
    assert [status is Status.OK for status, _, _ in found] == [False, True] * len(places)
    wanted, _ = expected(build, words)
    assert found == outcomes(wanted)
    assert {status for status, _, _ in found} == {Status.OK, Status.BAD_IMAGE, Status.BAD_RECORD}


def refusals(build):
    """Records that are refused, with status and value."""
    end = [*record(RecordKind.INLINE, run=1), core_word(END)]
    yield record(RecordKind.INLINE, run=9), Status.BAD_RECORD, RecordKind.INLINE
    yield [*record(RecordKind.WAIT, address=1), *end], Status.BAD_RECORD, RecordKind.WAIT
    yield [*record(RecordKind.GATHER, run=0, rows=1), *end], Status.BAD_RECORD, RecordKind.GATHER
    yield [*record(RecordKind.GATHER, run=1, rows=0), *end], Status.BAD_RECORD, RecordKind.GATHER
    yield (
        [*record(RecordKind.GATHER, run=1, rows=1, half=1), *end],
        Status.BAD_RECORD,
        RecordKind.GATHER,
    )
    yield [*record(RecordKind.SCATTER), *end], Status.BAD_RECORD, RecordKind.SCATTER
    yield [*record(6), *end], Status.BAD_RECORD, 6
    for kind, base, field, start in (
        (RecordKind.GATHER, Base.ABSOLUTE, MemoryRange.ABSOLUTE, 0),
        (RecordKind.GATHER, Base.INPUT, MemoryRange.INPUT, INPUT),
        (RecordKind.GATHER, Base.OUTPUT, MemoryRange.OUTPUT, OUTPUT),
        (RecordKind.SCATTER, Base.ABSOLUTE, MemoryRange.ABSOLUTE, 0),
        (RecordKind.SCATTER, Base.OUTPUT, MemoryRange.OUTPUT, OUTPUT),
    ):
        for address in (WORDS - start - 1, (1 << 32) - 1):
            rows = {"rows": 1, "last": 1} if kind is RecordKind.GATHER else {}
            value = (start + address + 2) << RANGE_BITS | field
            made = record(kind, base=base, address=address, run=2, **rows)
            yield [*made, *end], Status.BAD_RANGE, value
    yield [*record(RecordKind.INLINE, run=1), core_word(FAIL, 77)], Status.BAD_CHECKSUM, 77
    wrong = [*record(RecordKind.SCATTER, run=2, base=Base.LINK), *record(RecordKind.INLINE, run=1)]
    yield [*wrong, core_word(DATA, 3)], Status.BAD_BLOCK, 3


def test_what_an_image_must_not_say_is_refused_with_the_reason():
    build = config()
    words, wanted = [], []
    for number, (records, status, value) in enumerate(refusals(build), start=1):
        made = image(build, records, 0)
        words += write(IMAGE_AT, made) + replay(made, number)
        wanted.append((status, value, number))
    other = build.with_values({"array.rows": 2})
    made = image(other, [*record(RecordKind.INLINE, run=1), core_word(END)], 0)
    words += write(IMAGE_AT, made) + replay(made, 99)
    made = image(build, [*record(RecordKind.INLINE, run=1), core_word(END)], 0, begins=False)
    words += write(IMAGE_AT, made) + replay(made, 100)
    answers, _ = run(build, words)
    assert outcomes(answers)[:-2] == wanted
    assert outcomes(answers)[-2][0] is Status.BAD_CONFIGURATION
    assert outcomes(answers)[-1] == (Status.BAD_RECORD, 0, 100)
    assert outcomes(expected(build, words)[0]) == outcomes(answers)


def test_a_message_beyond_the_memory_or_damaged_is_refused_and_the_next_one_served():
    build = config()
    damaged = replay([1] * 4, 3)
    damaged[2] ^= 1 << 40
    words = [
        *write(WORDS - 1, [MEMORY_MAGIC, MAGIC]),
        *read(WORDS - 4, 5),
        *replay([0] * (WORDS - IMAGE_AT + 1), 2),
        *damaged,
        *message(9),
        *write(40, [8, 9]),
        *read(40, 2),
    ]
    answers, core = run(build, words)
    assert [(status, value) for status, value, _ in outcomes(answers)[:3]] == [
        (Status.BAD_RANGE, (WORDS + 1) << RANGE_BITS | field)
        for field in (MemoryRange.WRITE, MemoryRange.READ, MemoryRange.IMAGE)
    ]
    assert [status for status, _, _ in outcomes(answers)[3:]] == [Status.BAD_MESSAGE] * 2
    assert blocks(answers)[-1][1] == [8, 9] and not core.taken
    assert answers == expected(build, words)[0]


def test_programs_pass_whatever_their_words_are():
    build = config()
    program = [MAGIC, 1, 2, MEMORY_MAGIC, core_word(DATA, 3), *replay([1], 5), core_word(END)]
    words = [*program, *write(40, [6]), *read(40, 1), *program]
    answers, core = run(build, words, stalls=0.3)
    assert core.taken == 2 * program[3:]
    assert answers == expected(build, words)[0]


def test_an_input_is_written_while_an_image_runs():
    """The last words of the link are taken before the core gives what the RUN waits for."""
    build = config()
    records = [
        *record(RecordKind.SCATTER, run=90, base=Base.LINK),
        *record(RecordKind.INLINE, run=1),
    ]
    records += [core_word(DATA, 90), *record(RecordKind.INLINE, run=1), core_word(END)]
    made = image(build, records, 1)
    words = [*write(IMAGE_AT, made), *replay(made, 1), *write(40, range(30)), *read(40, 30)]
    answers, _ = run(build, words, stalls=0.5)
    assert blocks(answers)[-1][1] == list(range(30))
    assert answers[-31:] == expected(build, words)[0][-31:]


def test_records_and_messages_have_their_checksum_where_the_gateware_looks():
    for struct in (RECORD, MESSAGE):
        assert struct.offsets["checksum"] == 48


def test_an_image_goes_on_with_the_program_of_the_one_before():
    build = config()
    made = [
        image(build, [*record(RecordKind.INLINE, run=1), word], 0, begins=begins, ends=not begins)
        for begins, word in ((True, 5), (False, core_word(END)))
    ]
    words = []
    for number, at in enumerate((0, 1, 1, 0, 1), start=1):
        words += write(IMAGE_AT, made[at]) + replay(made[at], number)
    answers, core = run(build, words)
    good = [status is Status.OK for status, _, _ in outcomes(answers)]
    assert good == [True, True, False, True, True]
    assert core.taken == [5, core_word(END)] * 2
    assert outcomes(answers) == outcomes(expected(build, words)[0])
