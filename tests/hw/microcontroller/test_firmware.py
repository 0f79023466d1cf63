"""The firmware against the executor of command streams, word by word."""

from pathlib import Path

import numpy as np
import pytest

from hw.arch.commands import RESULT, ResultBlock
from hw.arch.config import Config
from hw.arch.counters import COUNTERS
from hw.arch.fields import WORD_BITS
from hw.arch.program import Words
from sim.functional import FunctionalAccelerator
from sw_driver.runtime import Runtime
from tests.campaigns.fuzz import convolutions, networks, vectors
from tests.hw.microcontroller.cases import (
    CONFIG,
    Theme,
    random_config,
    random_inputs,
    random_network,
)
from tests.hw.microcontroller.host import FirmwareLink
from tests.support.placed_filters import place_every_image

THEMES: tuple[Theme, ...] = (
    convolutions.any_convolution,
    convolutions.depthwise,
    convolutions.depthwise_multiplied,
    convolutions.spilling,
    convolutions.raw_output,
    convolutions.deep,
    convolutions.dense,
    convolutions.zero_pointed,
    vectors.max_pool,
    vectors.average_pool,
    vectors.sum_of_two,
    vectors.product_of_two,
    networks.residual,
    networks.classifier,
)
_NUMBERS = {field.name: COUNTERS.offsets[field.name] // WORD_BITS for field in COUNTERS.fields}
_COUNTED = (
    "macs",
    "glb_ifmap_words",
    "glb_psum_read_beats",
    "glb_psum_write_beats",
    "filter_words",
    "passes",
)
"""Counters that the executor keeps, too."""


class BothLinks:
    """The firmware and the executor behind one link, which compares all their results."""

    def __init__(self, config: Config, folder: Path, seed: int | None = None):
        self._counters = False  # a block of them comes next
        self.words = 0  # that were compared
        self.links = (FirmwareLink(config, folder, seed=seed), FunctionalAccelerator(config))

    def send(self, words: Words) -> None:
        for link in self.links:
            link.send(words)

    def receive(self, count: int) -> Words:
        actual, wanted = (link.receive(count) for link in self.links)
        if self._counters:
            for name in _COUNTED:
                assert actual[_NUMBERS[name]] == wanted[_NUMBERS[name]], name
        else:
            np.testing.assert_array_equal(actual, wanted)
        header = RESULT.unpack([int(actual[0])])
        self._counters = (
            not self._counters and count == 1 and header["block"] == ResultBlock.COUNTERS
        )
        self.words += count
        return actual

    def cycles(self) -> int | None:
        return None

    def close(self) -> None:
        pass


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.__name__)
def test_results_are_those_of_the_executor(theme: Theme, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    found = random_network(rng, CONFIG, theme)
    assert found is not None
    graph, program = found
    for seed in (None, 6):
        both = BothLinks(CONFIG, tmp_path, seed)
        Runtime(both, CONFIG).run(program, random_inputs(rng, graph))
        assert both.words > 2


@pytest.mark.parametrize("seed", range(6))
def test_random_configurations(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng([seed, 7])
    config = random_config(rng)
    ran = 0
    for theme in rng.permutation(np.array(THEMES, dtype=object)):
        found = random_network(rng, config, theme)
        if found is None:
            continue
        graph, program = found
        both = BothLinks(config, tmp_path, int(rng.integers(1 << 30)))
        session = Runtime(both, config)
        for _ in range(2):  # the second run finds filters in the weight memory
            session.run(program, random_inputs(rng, graph))
        ran += 1
        if ran == 5:
            break
    assert ran >= 3


@pytest.mark.parametrize(
    "theme", [convolutions.any_convolution, convolutions.depthwise, convolutions.spilling]
)
def test_filters_come_from_the_buffer(
    theme: Theme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = place_every_image(monkeypatch)
    config = CONFIG.with_values({"buffer.weight_memory": 0})
    rng = np.random.default_rng(8)
    for _ in range(8):
        before = len(taken)
        found = random_network(rng, config, theme)
        assert found is not None
        if len(taken) > before:
            break
    graph, program = found
    both = BothLinks(config, tmp_path, 3)
    Runtime(both, config).run(program, random_inputs(rng, graph))
    assert taken and both.words > 2
