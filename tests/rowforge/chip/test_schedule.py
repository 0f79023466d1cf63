"""The chip's own schedule: every published figure of DRAM and buffer that it explains."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.workloads.networks import conv_layers
from hw.arch.accesses import Level, glb_bytes, link_bytes
from hw.arch.energy import EnergyBill, bill, technology
from rowforge.chip.coding import coded_bits, coded_share
from rowforge.chip.mappings import CHIP_MAPPINGS, CONV3_AS_PRINTED
from rowforge.chip.schedule import ChipLayer, chip_layers
from rowforge.configs import preset
from rowforge.reports.published import PUBLISHED, before_pooling

LAYERS = {
    name: {
        layer.shape.name: layer for layer in chip_layers(name, conv_layers(name), PUBLISHED[name])
    }
    for name in PUBLISHED
}
ALEXNET, VGG = LAYERS["alexnet"], LAYERS["vgg16"]


def off(name: str, layer: ChipLayer) -> float:
    """By how much the bytes of a layer differ from what the table prints."""
    bytes_ = link_bytes(preset("eyeriss_v1"), layer.tally.accesses)
    return bytes_ / 1e6 / PUBLISHED[name].layers[layer.shape.name].dram_mb - 1


# ---- DRAM ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ALEXNET.values(), ids=ALEXNET)
def test_dram_bytes_of_alexnet_are_within_5_percent(layer: ChipLayer) -> None:
    assert abs(off("alexnet", layer)) < 0.05


@pytest.mark.parametrize("layer", VGG.values(), ids=VGG)
def test_dram_bytes_of_vgg16_are_within_6_percent(layer: ChipLayer) -> None:
    assert abs(off("vgg16", layer)) < 0.06


@pytest.mark.parametrize(("name", "most"), [("alexnet", 0.02), ("vgg16", 0.03)])
def test_dram_bytes_of_all_layers_together(name: str, most: float) -> None:
    config = preset("eyeriss_v1")
    total = sum(link_bytes(config, layer.tally.accesses) for layer in LAYERS[name].values())
    assert abs(total / 1e6 / PUBLISHED[name].total.dram_mb - 1) < most


def test_conv5_without_pooling_of_its_output() -> None:
    """With its ifmap's own share of zeros, which is too small before pooling, it is 8 % off."""
    layer = replace(ALEXNET["conv5"], output_zeros=0.776)
    assert 0.07 < off("alexnet", layer) < 0.08


# Raw megabytes of filters, ifmaps and ofmaps.
RAW = {
    "conv1": (2.23, 1.50, 2.32),
    "conv2": (2.46, 1.48, 1.49),
    "conv3": (1.77, 2.76, 0.52),
    "conv4": (1.33, 2.07, 0.52),
    "conv5": (0.88, 1.38, 0.35),
}
RATIO = {"conv1": 1.2, "conv2": 1.4, "conv3": 1.7, "conv4": 1.8, "conv5": 1.9}  # as published


@pytest.mark.parametrize("name", RAW)
def test_raw_bytes_and_the_published_ratios(name: str) -> None:
    layer = ALEXNET[name]
    raw = (layer.filter_bytes, layer.raw_input_bytes, layer.raw_output_bytes)
    assert tuple(round(size / 1e6, 2) for size in raw) == RAW[name]
    coded = layer.filter_bytes + layer.input_bytes + layer.output_bytes
    assert sum(raw) / coded == pytest.approx(RATIO[name], rel=0.07)


# ---- the buffer ---------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ALEXNET.values(), ids=ALEXNET)
def test_buffer_bytes_of_alexnet_are_within_1_percent(layer: ChipLayer) -> None:
    measured = PUBLISHED["alexnet"].layers[layer.shape.name].glb_mb
    counted = glb_bytes(preset("eyeriss_v1"), layer.tally.accesses)
    assert counted / 1e6 == pytest.approx(measured, rel=0.01)


def test_the_printed_mapping_of_conv3_gives_other_buffer_bytes() -> None:
    layer = replace(ALEXNET["conv3"], mapping=CONV3_AS_PRINTED)
    assert round(glb_bytes(preset("eyeriss_v1"), layer.tally.accesses) / 1e6) == 69
    assert off("alexnet", layer) == off("alexnet", ALEXNET["conv3"])


def test_mappings_fit_the_chip() -> None:
    """Filters and ifmaps fit the scratchpads of a PE, psums and ifmaps the buffer."""
    for name, mapping in CHIP_MAPPINGS["alexnet"].items():
        shape = ALEXNET[name].shape
        assert mapping.p * mapping.q * shape.R <= 224
        assert mapping.q * shape.R <= 12
        assert mapping.p <= 24
        assert shape.R * mapping.e * mapping.r * mapping.t <= 168
        psums = 2 * mapping.n * mapping.m * mapping.e * shape.output[1]
        assert psums <= 100 * 1024


def test_what_is_not_known_of_vgg16_is_not_counted() -> None:
    for layer in VGG.values():
        assert {access.level for access, _ in layer.tally.accesses.items()} == {
            Level.MAC,
            Level.LINK,
        }


# ---- coding -------------------------------------------------------------------------------------


@pytest.mark.parametrize("zeros", [0.0, 0.3, 0.776, 0.97])
def test_coded_bits_of_random_values(zeros: float) -> None:
    """A coder that counts words of three pairs over values drawn independently."""
    rng = np.random.default_rng(5)
    values = rng.random(400_000) >= zeros
    pairs, run = 0, 0
    for value in values.tolist():
        if value or run == 31:
            pairs, run = pairs + 1, 0
        else:
            run += 1
    assert coded_bits(zeros) == pytest.approx(pairs * 64 / 3 / len(values), rel=0.01)
    assert coded_share(zeros) == coded_bits(zeros) / 16


def test_pooling_leaves_the_square_of_zeros() -> None:
    assert before_pooling(0.36) == pytest.approx(0.6)


# ---- energy -------------------------------------------------------------------------------------


def test_the_normalised_energy_of_alexnet() -> None:
    """8.05 · 10^9 by the ratios that the table of DRAM prints, within 0.5 % by shares of zeros."""
    config, table = preset("eyeriss_v1"), technology()
    total = EnergyBill(table, {})
    for layer in ALEXNET.values():
        tally = layer.tally
        total += bill(config, table, tally.accesses, gated_macs=tally.gated_macs or 0)
    told = {level: round(total.at(level) / 1e9, 2) for level in Level if total.at(level)}
    assert told == {
        Level.MAC: 1.30,
        Level.SPAD: 3.79,
        Level.NETWORK: 0.80,
        Level.BUFFER: 0.63,
        Level.LINK: 1.52,
    }
    assert total.total == pytest.approx(8.05e9, rel=0.005)
