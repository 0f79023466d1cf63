"""The counter block of a configuration: `counter_block`."""

from hw.arch.config import Config
from hw.arch.counters import ACCESS_COUNTERS, COUNTERS
from hw.arch.fields import Struct


def counter_block(config: Config) -> Struct:
    """The counters that a configuration has, in the order of the block."""
    return _WITH_ACCESSES if config.control.access_counters else COUNTERS


_WITH_ACCESSES = Struct(COUNTERS.name, (*COUNTERS.fields, *ACCESS_COUNTERS), COUNTERS.doc)
