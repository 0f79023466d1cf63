"""Whole programs for the accelerator, and the result words that they must cause."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from hw.arch.accesses import counter_block
from hw.arch.commands import RESULT, Opcode, ResultBlock, Status
from hw.arch.config import Config
from hw.arch.counters import ACCESS_COUNTERS, COUNTERS
from hw.arch.program import Box, layout
from sim.functional import FunctionalAccelerator
from tb.models.mapping import MappedConvolution
from tb.models.random_layers import random_convolution
from tb.models.result_words import ALL, block_places
from tb.models.streams import WordStream, unpack

COUNTED = (
    "macs",
    "gated_macs",
    "glb_ifmap_words",
    "glb_psum_read_beats",
    "glb_psum_write_beats",
    "filter_words",
    "passes",
    *(field.name for field in ACCESS_COUNTERS),
)
"""Counters that do not depend on time."""


@dataclass
class Phase:
    """Words for the accelerator and what it answers.

    `masks`: the bits of every result word that count; `reset_after`: instead of an answer, a reset
    so many cycles after the first word; `deaf`: cycles in which the host takes no result.
    """

    words: list[int]
    expected: list[int] = field(default_factory=list)
    masks: list[int] = field(default_factory=list)
    reset_after: int = 0
    deaf: int = 0

    def __post_init__(self) -> None:
        self.masks = self.masks or [ALL] * len(self.expected)

    def as_case(self) -> dict[str, Any]:
        """What JSON holds of it."""
        return vars(self)


def executed(config: Config, stream: WordStream) -> Phase:
    """A stream that ends with END, and the answer of the untimed executor."""
    accelerator = FunctionalAccelerator(config)
    words = stream.end().array()
    accelerator.send(words)
    expected: list[int] = []
    masks: list[int] = []
    done = False
    while not done:
        header = accelerator.receive(1).tolist()
        fields = RESULT.unpack(header)
        block = accelerator.receive(fields["length"]).tolist()
        done = fields["block"] == ResultBlock.STATUS
        assert not done or fields["status"] == Status.OK
        expected += [*header, *block]
        if fields["block"] == ResultBlock.COUNTERS:
            names = [item.name for item in counter_block(config).fields]
            masks += [ALL, *(ALL if name in COUNTED else 0 for name in names)]
        else:
            masks += [ALL] * (1 + len(block))
    return Phase([int(word) for word in words], expected, masks)


def random_layers(
    config: Config,
    random: Random,
    count: int,
    *,
    largest: int = 4000,
    counters: bool = True,
    anywhere: bool = False,
) -> Phase:
    """Convolutions one after another, each stored and counted.

    `anywhere`: at random places in the buffer, not at its ends. The executor's answer is compared
    with plain NumPy on the way.
    """
    stream = WordStream(config)
    if counters:
        stream.command(Opcode.COUNTERS)
    layers: list[tuple[MappedConvolution, tuple[int, ...]]] = []
    for tag in range(count):
        layer = random_convolution(config, random, largest=largest)
        where = layer.anywhere(random) if anywhere else (0, 0)
        layers.append((layer, layer.append(stream, tag=tag, place=where)))
        if counters:
            stream.command(Opcode.COUNTERS, tag=tag)
    phase = executed(config, stream)
    places = block_places(phase.expected, ResultBlock.DATA)
    if any(layer.constants["odd"] for layer, _ in layers):
        _forget_products(phase)
    for (layer, shape), place in zip(layers, places, strict=True):
        _check_layer(layer, shape, phase.expected[place])
        phase.masks[place] = _layer_mask(layer, shape)
    return phase


def _check_layer(layer: MappedConvolution, shape: tuple[int, ...], words: list[int]) -> None:
    bits = 32 if layer.raw else layer.config.array.data_width
    expected = layer.expected()
    stored = np.array(words, dtype=np.uint64)
    got = unpack(layer.config, stored, shape, f"uint{bits}", raw=layer.raw)
    assert (got == expected % (1 << bits)).all(), layer


def _forget_products(phase: Phase) -> None:
    """With two multipliers a PE the counters of products include those that `odd` drops."""
    fields = [item.name for item in COUNTERS.fields]
    for place in block_places(phase.expected, ResultBlock.COUNTERS):
        for name in ("macs", "gated_macs"):
            phase.masks[place.start + fields.index(name)] = 0


def _layer_mask(layer: MappedConvolution, shape: tuple[int, ...]) -> list[int]:
    """The bits of a stored tensor: lanes after the last channel may hold any value."""
    bits = 32 if layer.raw else layer.config.array.data_width
    full = np.full(shape, (1 << bits) - 1, dtype=f"uint{bits}")
    box = Box(*((0, size) for size in shape))
    return [int(word) for word in layout.pack_box(layer.config, full, box, raw=layer.raw)]
