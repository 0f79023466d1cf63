"""The published tables against their own lines of totals, and against the traffic they imply."""

import pytest

from compiler.workloads.networks import conv_layers
from rowforge.reports.published import PES, PUBLISHED

ROUNDING = 0.05  # of a figure with one decimal


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_line_for_every_conv_layer(name):
    assert list(PUBLISHED[name].layers) == [layer.name for layer in conv_layers(name)]


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("column", ["total_ms", "processing_ms", "glb_mb", "dram_mb"])
def test_lines_add_up_to_the_printed_total(name, column):
    table = PUBLISHED[name]
    total = sum(getattr(line, column) for line in table.layers.values())
    slack = ROUNDING * (len(table.layers) + 1) + 1e-9
    assert abs(total - getattr(table.total, column)) <= slack


def test_the_chips_totals_in_cycles():
    assert PUBLISHED["alexnet"].total.cycles == 20_700_000
    assert PUBLISHED["vgg16"].total.cycles == 751_040_000


@pytest.mark.parametrize("name", PUBLISHED)
def test_no_layer_is_faster_than_its_active_pes(name):
    table = PUBLISHED[name]
    for layer in conv_layers(name):
        line = table.layers[layer.name]
        assert line.active_pes <= PES
        assert layer.macs * table.batch < line.cycles * line.active_pes


@pytest.mark.parametrize(
    ("name", "mac_ms", "percent"),
    [
        ("conv1", 13.7, 83),
        ("conv2", 33.2, 85),
        ("conv3", 19.2, 88),
        ("conv4", 14.4, 90),
        ("conv5", 9.6, 96),
    ],
)
def test_busy_time_of_the_active_pes(name, mac_ms, percent):
    table = PUBLISHED["alexnet"]
    (layer,) = [layer for layer in conv_layers("alexnet") if layer.name == name]
    line = table.layers[name]
    busy = layer.macs * table.batch / (line.active_pes * 200_000)
    assert busy == pytest.approx(mac_ms, abs=ROUNDING)
    assert 100 * busy / line.processing_ms == pytest.approx(percent, abs=0.6)


# The chip's mappings (p, q, r, t) and strip heights e. CONV3's traffic is that of CONV4's mapping.
MAPPINGS = {
    "conv1": (16, 1, 1, 2, 7),
    "conv2": (16, 2, 1, 1, 27),
    "conv3": (16, 3, 2, 2, 13),
    "conv4": (16, 3, 2, 2, 13),
    "conv5": (16, 3, 2, 2, 13),
}


def glb_bytes(layer, batch, mapping):
    """Psums read and written in every pass, ifmaps read once for each group of filters."""
    p, q, r, t, e = mapping
    E, F = layer.output
    C, G = layer.C // layer.groups, layer.groups
    W = layer.width + 2 * layer.pad
    strips = [min(e, E - first) for first in range(0, E, e)]
    rows = sum((height - 1) * layer.stride + layer.R for height in strips)
    psums = 4 * -(-C // (q * r)) * batch * layer.M * E * F
    return psums + 2 * -(-layer.M // (G * p * t)) * batch * layer.C * rows * W


@pytest.mark.parametrize("layer", conv_layers("alexnet"), ids=lambda layer: layer.name)
def test_buffer_traffic_follows_from_the_chips_mappings(layer):
    table = PUBLISHED["alexnet"]
    implied = glb_bytes(layer, table.batch, MAPPINGS[layer.name]) / 1e6
    assert implied == pytest.approx(table.layers[layer.name].glb_mb, abs=ROUNDING + 0.01)
