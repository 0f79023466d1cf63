"""Results that come as codes: tensors come back whole, and no damage becomes one."""

from functools import partial

import numpy as np
import pytest

from compiler.compile import compile_graph
from hw.arch.commands import RESULT, ResultBlock
from hw.arch.config import Config
from sim.functional import FunctionalAccelerator
from sim.golden import run_graph
from sw_driver.protocol.errors import ProtocolError
from sw_driver.runtime import Runtime
from tests.support.sparse import relu_layer

ONE_BIT = np.uint64(1)


class Damaging(FunctionalAccelerator):
    """Gives every coded block to `damage`, and keeps how long each was."""

    def __init__(self, config, damage=lambda words: words):
        super().__init__(config)
        self._damage = damage
        self._coded = False
        self.coded = []

    def receive(self, count):
        words = super().receive(count)
        if self._coded:
            self._coded = False
            self.coded.append(count)
            return self._damage(words.copy())
        block = RESULT.unpack(words[:1].tolist())["block"]
        self._coded = count == 1 and block == ResultBlock.CODED
        return words


@pytest.fixture(scope="module", params=[8, 16])
def layer(request):
    """(configuration, program, input, output) of a layer with many zeros in its output."""
    config = Config.of({"array.data_width": request.param, "noc.filter": 4, "link.coding": "mask"})
    graph, x = relu_layer(config)
    program = compile_graph(graph, config)
    return config, program, x, run_graph(graph, x)[graph.outputs[0]]


def test_codes_become_the_tensor(layer):
    config, program, x, expected = layer
    link = Damaging(config)
    (found,) = Runtime(link, config).run(program, x).outputs.values()
    assert (found == expected).all()
    assert link.coded
    raw = Damaging(config.with_values({"link.coding": "none"}))
    assert sum(link.coded) < found.nbytes / 8
    assert not raw.coded


def flipped(words, *, word, bit):
    words[word] ^= ONE_BIT << np.uint64(bit)
    return words


def swapped(words):
    return words[[1, 0, *range(2, len(words))]]


def test_a_flipped_bit_in_any_word_is_an_error(layer):
    config, program, x, _ = layer
    intact = Damaging(config)
    Runtime(intact, config).run(program, x)
    rng = np.random.default_rng(3)
    for word in range(intact.coded[0]):
        damage = partial(flipped, word=word, bit=int(rng.integers(64)))
        with pytest.raises(ProtocolError, match="damaged"):
            Runtime(Damaging(config, damage), config).run(program, x)


def test_words_in_another_order_are_an_error(layer):
    config, program, x, _ = layer
    with pytest.raises(ProtocolError, match="damaged"):
        Runtime(Damaging(config, swapped), config).run(program, x)


@pytest.mark.parametrize("by", [-1, 1])
def test_a_code_of_another_length_is_an_error(layer, by):
    config, program, x, _ = layer

    class Longer(Damaging):
        def _reply(self, block, words, **options):
            if block == ResultBlock.CODED:
                words = np.append(words, words[:1]) if by > 0 else words[:by]
            super()._reply(block, words, **options)

    with pytest.raises(ProtocolError):
        Runtime(Longer(config), config).run(program, x)
