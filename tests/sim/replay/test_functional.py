"""The replayer without time refuses images that hardware would run wrongly."""

import pytest

from hw.arch.images.messages import Message, message
from hw.arch.images.records import Base, RecordKind, record
from sim.functional import SemanticsError
from tests.hw.replay.bench import DATA, END, config, core_word, expected, image

CONFIG = config()
STORE = [
    *record(RecordKind.SCATTER, run=4, address=600),
    *record(RecordKind.INLINE, run=1),
    core_word(DATA, 4),
]
SCATTERED = record(RecordKind.SCATTER, run=2, address=600)
LOAD = record(RecordKind.GATHER, address=602, run=2, rows=1, last=1)
LAST = [*record(RecordKind.INLINE, run=1), core_word(END)]


@pytest.mark.parametrize(
    ("records", "blocks", "reason"),
    [
        ([*STORE, *LOAD, *LAST], 1, "gathered after 0 words .* there only after 4"),
        ([*LOAD, *LAST], 0, "memory words 602 to 604 are gathered but were never written"),
        ([*record(RecordKind.SCATTER, run=2, address=101), *LAST], 0, "written over the image"),
        ([*record(RecordKind.SCATTER, run=2, base=Base.LINK), *LAST], 0, "1 places wait for data"),
        ([*SCATTERED, *record(RecordKind.WAIT, address=2), *LAST], 0,
         "waits for data blocks that no command before causes"),
        ([*STORE, *LAST], 2, "causes 1 blocks, not 2"),
        ([*record(RecordKind.INLINE, run=1), 5], 0, "whether the program ends"),
        ([*record(RecordKind.INLINE, run=1), core_word(DATA, 1), *LAST], 1, "has no place"),
    ],
)  # fmt: skip
def test_an_image_that_breaks_a_rule_is_found_out(records, blocks, reason):
    words = image(CONFIG, records, blocks)
    sent = [*message(Message.WRITE, address=100, words=len(words)), *words]
    sent += message(Message.RUN, number=1, address=100, words=len(words))
    with pytest.raises(SemanticsError, match=reason):
        expected(CONFIG, sent)
