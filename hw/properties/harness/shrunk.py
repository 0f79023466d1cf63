"""Configurations of sizes that users may not choose, for blocks whose proof they suffice for."""

from collections.abc import Mapping
from copy import copy
from typing import Any

from hw.arch.config import Config


def shrunk(config: Config, values: Mapping[str, Any]) -> Config:
    """A configuration with other values by full name, which nothing checks.

    A size that is a power of two, or that only bounds a counter, changes a block in no other way
    than by that size; whoever shrinks it says so beside the proof.
    """
    made = copy(config)
    for name, value in values.items():
        section_name, _, item = name.partition(".")
        section = copy(getattr(made, section_name))
        object.__setattr__(section, item, value)
        object.__setattr__(made, section_name, section)
    for derived in [name for name in vars(made) if name not in made.__dataclass_fields__]:
        del made.__dict__[derived]  # what was derived from the sizes before
    return made
