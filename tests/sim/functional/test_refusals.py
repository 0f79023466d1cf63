"""What the executor answers with a status block, and what it refuses as no hardware would."""

import numpy as np
import pytest

from hw.arch import commands
from hw.arch.commands import Opcode, ResultBlock, Status, VectorOp, begin
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.program import layout
from sim.functional import FunctionalAccelerator, SemanticsError
from sw_driver.protocol.errors import LinkError
from tb.models import streams
from tb.models.refusals import REFUSALS
from tb.models.streams import WordStream, run
from tests.sim.mapping import CONFIG, OUTPUT_AT, convolution_stream, mapped, values


def status(accelerator):
    header = commands.RESULT.unpack(accelerator.receive(1).tolist())
    assert (header["block"], header["length"]) == (ResultBlock.STATUS, 1)
    return Status(header["status"]), int(accelerator.receive(1)[0])


def test_every_error_is_answered_and_the_next_program_runs():
    region = {"address": 4000, "run": 97, "rows": 1, "planes": 1, "words": 97}
    cases = [
        (lambda s: s.command(31), Status.UNKNOWN_COMMAND),
        (lambda s: s.words.__setitem__(-1, s.command(Opcode.COUNTERS).words[-1] ^ 256), 2),
        (lambda s: s.command(Opcode.COUNTERS, payload=[0]), Status.BAD_LENGTH),
        (lambda s: s.indexed(Opcode.TABLE, 0, 2, [0]), Status.BAD_LENGTH),
        (lambda s: s.indexed(Opcode.ROWS, 0, 1, [0] * 10), Status.BAD_LENGTH),
        (lambda s: s.indexed(Opcode.TABLE, 255, 2, [0] * 2), Status.BAD_ADDRESS),
        (lambda s: s.indexed(Opcode.MEMORY, 0, 1, [0]), Status.UNKNOWN_COMMAND),
        (lambda s: s.command(Opcode.STORE, commands.REGION, region), Status.BAD_ADDRESS),
        (lambda s: s.vector({"op": 9}), Status.BAD_FIELD),
        (lambda s: s.words.__setitem__(1, 99), Status.BAD_VERSION),
        (lambda s: s.words.__setitem__(2, 99), Status.BAD_CONFIGURATION),
    ]
    accelerator = FunctionalAccelerator(CONFIG)
    for spoil, expected in cases:
        stream = WordStream(CONFIG)
        spoil(stream)
        accelerator.send(np.array([*stream.end().words, 5, 6, 7], dtype=np.uint64))
        assert status(accelerator)[0] == expected
        assert run(accelerator, WordStream(CONFIG)) == []


def test_offending_values():
    accelerator = FunctionalAccelerator(CONFIG)
    region = {"address": 4000, "run": 97, "rows": 1, "planes": 1, "words": 97}
    accelerator.send(WordStream(CONFIG).command(Opcode.STORE, commands.REGION, region).array())
    assert status(accelerator) == (Status.BAD_ADDRESS, 4096)
    accelerator.send(np.array([commands.MAGIC, 7], dtype=np.uint64))
    assert status(accelerator) == (Status.BAD_VERSION, 7)
    for stream, expected in (
        (WordStream(CONFIG).command(29), (Status.UNKNOWN_COMMAND, 29)),
        (WordStream(CONFIG).command(Opcode.END, payload=[1, 2]), (Status.BAD_LENGTH, 2)),
        (WordStream(CONFIG).indexed(Opcode.TABLE, 200, 57, [0] * 57), (Status.BAD_ADDRESS, 257)),
    ):
        accelerator.send(stream.array())
        assert status(accelerator) == expected


@pytest.mark.parametrize("coding", ["none", "mask"])
@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("name", [name for name in REFUSALS if "code" in name])
def test_damaged_codes(width, coding, name):
    """The executor without time answers as the gateware must."""
    config = Config.of({"array.data_width": width, "noc.filter": 4, "link.coding": coding})
    accelerator = FunctionalAccelerator(config)
    words, expected, value = REFUSALS[name](config)
    for _ in range(2):
        accelerator.send(np.array([*begin(config_hash(config)), *words], dtype=np.uint64))
        assert status(accelerator) == (expected, value)


def test_commands_that_are_not_built_are_unknown():
    wide = Config.of({"array.data_width": 16, "noc.filter": 4})
    accelerator = FunctionalAccelerator(wide)
    accelerator.send(WordStream(wide).indexed(Opcode.TABLE, 0, 1, [0]).array())
    assert status(accelerator) == (Status.UNKNOWN_COMMAND, Opcode.TABLE)
    small_memory = CONFIG.with_values({"buffer.weight_memory": 64})
    accelerator = FunctionalAccelerator(small_memory)
    accelerator.send(WordStream(small_memory).indexed(Opcode.MEMORY, 7, 2, [0] * 2).array())
    assert status(accelerator) == (Status.BAD_ADDRESS, 9)


def test_words_may_come_in_any_portions():
    x, w = values((4, 4, 4), 1), values((1, 1, 4, 6), 2)
    stream = convolution_stream(CONFIG, x, w, np.zeros(6, int), p=6, q=4)
    words = stream.store((1, 4, 4, 6), OUTPUT_AT).end().array()
    accelerator = FunctionalAccelerator(CONFIG)
    with pytest.raises(LinkError, match="owes 0 result words, not 1: it waits for a program"):
        accelerator.receive(1)
    for word in words:
        accelerator.send(np.array([word]))
    assert len(accelerator.receive(1 + 16 + 2)) == 19


def small(change=None, **constants):
    """The 1x1 convolution of `CASES` with something changed."""
    x, w = values((4, 4, 4), 1), values((1, 1, 4, 6), 2)
    parts = list(mapped(CONFIG, x, w, p=6, q=4))
    parts[0] |= constants
    if change:
        change(*parts[:5])
    stream = WordStream(CONFIG).rows(*parts[3]).columns(parts[4]).params(np.zeros(6, int))
    return stream.load(x[None], 0).conv(parts[0], parts[1], parts[2], parts[5], tag=4)


def _column(number, **fields):
    return lambda c, b, loops, rows, columns: columns["columns"][number].update(fields)


def _one_psum(c, b, loops, rows, columns):
    """All columns keep their psums in one place."""
    for column in columns["columns"]:
        column["psum"] = 0


def _slot(**fields):
    return lambda c, b, loops, rows, columns: rows[0]["slots"][0].update(fields)


def _row(**fields):
    return lambda c, b, loops, rows, columns: rows[0]["rows"][0].update(fields)


def _base(**fields):
    return lambda c, bases, loops, rows, columns: bases.update(fields)


@pytest.mark.parametrize(
    "stream, words",
    [
        (lambda: small(taps=13, channels=13), "taps .13. exceed pe.ifmap_spad .12."),
        (lambda: small(psums=25, steps=25), "psum slots .25. exceed pe.psum_spad"),
        (lambda: small(filter_beats=4), "filter_beats must be 3, not 4"),
        (lambda: small(psums=5), "psums .5. do not follow"),
        (lambda: small(psum_beats=1), "psum_beats must be 2"),
        (lambda: small(windows=5), "receive 16 ifmap words, not 20"),
        (lambda: small(pixel_inner=3), "pass 0: PEs with slot 0 and tag 0 receive 12 ifmap"),
        (lambda: small(window_shift=1), "8-bit products are not shifted"),
        (lambda: small(low=-200), "clamp -200 to 127 does not fit"),
        (lambda: small(before=1, after=1), "psum beat 0 is unwritten|is read as a psum"),
        (lambda: small(_slot(outer=3)), "slot 0 and tag 3 receive 0 ifmap words, not 16"),
        (lambda: small(_slot(lane=2)), "lane must be a multiple of 4"),
        (lambda: small(_slot(outer_step=255, outer=6)), "slot 0 has tag 1275"),
        (lambda: small(_slot(address=4090)), "after the 4096 activation words"),
        (lambda: small(_slot(address=100)), "word 100 is read as an activation but is unwritten"),
        (lambda: small(_row(iid=1)), "row pattern 0: row 0: iid 1 must be below 1"),
        (lambda: small(_row(tail=0)), "segment 0: no tail row at or above row 0"),
        (lambda: small(_row(head=0)), "must be the only head"),
        (lambda: small(_row(first=0)), "segment 0 and its head row 0 differ"),
        (lambda: small(_row(active=0)), "is not active"),
        (lambda: small(_column(1, tid=1)), "tid 1 must be below 1"),
        (lambda: small(_column(1, active=0)), "all of the first 4 columns must be active"),
        (lambda: small(_column(1, output=0)), "is written twice"),
        (lambda: small(_one_psum, before=1), "psum beat 0 is written twice"),
        (lambda: small(_column(3, base=1023), item_tag=1), "tag 1023 receive 0"),
        (lambda: small(_base(psum=4090), before=1), "psum beat 40.* is after the 2048 beats"),
        (lambda: small(_base(output=0)), "is written while earlier work may still read it"),
        (lambda: small(_base(rows=5)), "pattern 5 of rows was never filled"),
        (lambda: small(_base(channel=1 << 12)), "parameter entry 4101 does not exist"),
        (lambda: small(_base(channel=3)), "parameter entry 6 was never written"),
        (lambda: small(lambda c, b, loops, r, k: loops[1].update(count=0)), "at least 1"),
        (lambda: small(lambda c, b, loops, r, k: loops[1].update(count=2)), "too few filters"),
        (lambda: small(resident=1), "words 0 to 2 of the weight memory do not exist"),
        (lambda: small(buffered=1), "the global buffer, and buffer.filters is false"),
        (lambda: small(weight_zero=3, weight_signed=1).load(values((1, 4, 4, 4)), 0), "still read"),
        (lambda: small().load(values((1, 4, 4, 4)), OUTPUT_AT), "still write it; a flag"),
        (lambda: small().params([0]), "parameter entry 0 is written while"),
        (lambda: small().vector({"op": VectorOp.MAX}, fence=False), "blocks, rows and columns"),
    ],
)
def test_programs_that_hardware_would_not_survive(stream, words):
    with pytest.raises(SemanticsError, match=words):
        FunctionalAccelerator(CONFIG).send(stream().end().array())


def test_errors_say_where():
    with pytest.raises(SemanticsError, match=r"^command 4 \(CONV, tag 4\), pass 0: PEs with"):
        FunctionalAccelerator(CONFIG).send(small(windows=5).array())


def test_missing_waits_for_a_store_are_seen():
    """STORE goes on beside later commands, which may not write what it reads."""
    x = values((1, 4, 4, 8))
    start = WordStream(CONFIG).load(x, 0).store((1, 4, 4, 8), 0, fence=False).words
    for waits, fine in (({}, False), ({"older": 1}, False), ({"stored": True}, True)):
        stream = WordStream(CONFIG)
        stream.words = [*start]
        words = stream.load(x, 8, **waits).end().array()
        if fine:
            FunctionalAccelerator(CONFIG).send(words)
        else:
            with pytest.raises(SemanticsError, match="word 8 is written while .* still store it"):
                FunctionalAccelerator(CONFIG).send(words)


HELD = CONFIG.with_values({"buffer.filters": True})
FILTERS_AT = 3000


def from_buffer(*, at=FILTERS_AT, between=None, constants=None, bases=None):
    """The same convolution with its filters in the buffer."""
    x, w = values((4, 4, 4), 1), values((1, 1, 4, 6), 2)
    fields, start, loops, patterns, columns, filters = mapped(HELD, x, w, p=6, q=4)
    stream = WordStream(HELD).rows(*patterns).columns(columns).params(np.zeros(6, int))
    stream.load(x[None], 0).load_words(layout.pack_filters(HELD, np.stack(filters)), at)
    if between is not None:
        between(stream, (fields, start, loops, filters))
    fields |= {"buffered": 1, **(constants or {})}
    return stream.conv(fields, {**start, "weights": FILTERS_AT, **(bases or {})}, loops, tag=4)


def _first(output, **constants):
    """A convolution before, which writes from `output` on."""

    def emit(stream, parts):
        fields, start, loops, filters = parts
        stream.conv({**fields, **constants}, {**start, "output": output}, loops, filters)

    return emit


@pytest.mark.parametrize(
    "stream, words",
    [
        (lambda: from_buffer(at=2900), "word 3000 is read as an activation but is unwritten"),
        (lambda: from_buffer(constants={"resident": 1}), "both from the weight memory and from"),
        (lambda: from_buffer(bases={"weights": 4095}), "after the 4096 activation words"),
        (lambda: from_buffer(bases={"output": FILTERS_AT - 8}), "may still read it"),
        (lambda: from_buffer().load_words([1], FILTERS_AT + 2), "may still read it; a flag"),
        (lambda: from_buffer(between=_first(FILTERS_AT - 8)), "may still write it; a flag"),
        (
            lambda: from_buffer(between=_first(FILTERS_AT - 8), constants={"sync": 1}),
            "word 3000 is read while earlier work may still write it",
        ),
    ],
)
def test_filters_in_the_buffer_are_watched(stream, words):
    with pytest.raises(SemanticsError, match=words):
        FunctionalAccelerator(HELD).send(stream().end().array())


def test_a_load_may_take_the_place_of_filters_after_a_fence():
    stream = from_buffer().load_words([1], FILTERS_AT + 2, fence=True)
    FunctionalAccelerator(HELD).send(stream.end().array())


def test_older_convolutions_are_told_from_the_newest():
    """With `older`, the reads of the newest CONV still count; those of the one before do not."""
    x, w = values((4, 4, 4), 1), values((1, 1, 4, 6), 2)
    constants, bases, loops, patterns, columns, filters = mapped(CONFIG, x, w, p=6, q=4)
    for address, waits, fine in (
        (0, {}, False),
        (0, {"older": 1}, True),
        (3000, {"older": 1}, False),
        (0, {"older": 2}, False),
    ):
        stream = WordStream(CONFIG).rows(*patterns).columns(columns).params(np.zeros(6, int))
        stream.load(x[None], 0).load(x[None], 3000)
        stream.conv(constants, bases, loops, filters)
        newest = {**bases, "ifmap": bases["ifmap"] + 3000, "output": 1000}
        stream.conv({**constants, "sync": 0}, newest, loops, filters)
        words = stream.load(x[None], address, **waits).end().array()
        if fine:
            FunctionalAccelerator(CONFIG).send(words)
        else:
            with pytest.raises(
                SemanticsError, match="is written while earlier work may still read"
            ):
                FunctionalAccelerator(CONFIG).send(words)


def test_a_vector_command_may_not_overwrite_what_it_still_reads():
    x = values((1, 4, 4, 8))
    vector = {"op": VectorOp.MAX, "blocks": 1, "rows": 4, "columns": 4, "height": 4, "width": 4}
    vector |= {"row_stride": 4, "output_row_stride": 4, "output": 1}
    with pytest.raises(SemanticsError, match="word 1 is overwritten before it is read"):
        FunctionalAccelerator(CONFIG).send(
            WordStream(CONFIG).params([0]).load(x, 0).vector(vector).array()
        )


def test_psums_written_late_may_not_be_read_early():
    """Two passes whose windows lie in opposite order in the psum buffer."""
    x, w = values((4, 4, 8), 17), values((1, 1, 8, 4), 18)
    constants, bases, loops, patterns, columns, filters = mapped(CONFIG, x, w, p=4, q=4)
    loops[3]["psum"] = -1
    bases["psum"] = 10
    for number, column in enumerate(columns["columns"]):
        column["psum"] = 100 * number
    stream = WordStream(CONFIG).rows(*patterns).columns(columns).params(np.zeros(4, int))
    stream.load(x[None], 0).conv(constants, bases, loops, filters)
    with pytest.raises(SemanticsError, match="psum|read as a psum"):
        FunctionalAccelerator(CONFIG).send(stream.array())
    loops[3]["psum"] = 1
    stream = WordStream(CONFIG).rows(*patterns).columns(columns).params(np.zeros(4, int))
    stream.load(x[None], 0).conv(constants, bases, loops, filters)
    with pytest.raises(SemanticsError, match="psum beat 11 is read before the pass before"):
        FunctionalAccelerator(CONFIG).send(stream.array())


def test_wrapped_increments():
    assert streams.wrapped("rows", -1) == 255
    assert streams.wrapped("y", -1) == -1
