"""The one adapter to a private attribute of Amaranth."""

import gc
import warnings

from amaranth.hdl import UnusedElaboratable
from amaranth.lib.wiring import In

from hw.base.block import Block
from hw.base.memory import Ram
from hw.base.unused import mark_used


class Early(Block):
    """Makes parts before it is elaborated, as a block may."""

    def __init__(self):
        super().__init__({"a": In(1)})
        self.part, self.parts = Ram(width=1, depth=2), [Ram(width=2, depth=2)]


def warnings_after(adapter):
    """How many components Amaranth complains of when a block and its parts are forgotten."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        UnusedElaboratable._MustUse__silence = False
        early = Early()
        adapter(early)
        del early
        gc.collect()
    return len([one for one in caught if one.category is UnusedElaboratable])


def test_amaranth_warns_of_what_nobody_elaborates_and_is_kept_from_it():
    """Fails when a release of Amaranth keeps its mark elsewhere: see `hw.base.unused`."""
    assert warnings_after(lambda block: None) == 3
    assert warnings_after(mark_used) == 0
