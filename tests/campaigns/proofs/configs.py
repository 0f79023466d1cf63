"""Designs whose blocks are proven: every preset, and configurations drawn as for the fuzz."""

from collections.abc import Iterator

from hw.arch.config import Config
from rowforge.configs import preset, preset_names
from tests.campaigns.fuzz.configs import configuration


def presets() -> Iterator[Config]:
    """All presets."""
    yield from map(preset, preset_names())


def drawn(count: int, seed: int) -> Iterator[Config]:
    """The first configurations of a campaign."""
    for number in range(count):
        yield configuration(seed, number)
