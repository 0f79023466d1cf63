"""What a thinner network would cost: figures are those of a network that has fewer filters."""

import numpy as np
import pytest

from compiler.frontends import load_model
from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from rowforge.estimation import graph_report
from rowforge.thinning.filters import without_filters
from rowforge.thinning.whatif import NO_HARDWARE, whatif
from sim.golden.run import run_graph
from tests.rowforge.support import MODEL, rowforge
from tests.support.tflite.layers import LayerWriter

CONFIG = preset("tiny")


def model(path, filters):
    """Two convolutions, the first one with so many filters."""
    layers = LayerWriter(3)
    source = layers.activation((1, 6, 6, 8))
    middle = layers.conv(source, filters, (3, 3))
    output = layers.conv(middle, 24, (1, 1))
    path.write_bytes(layers.finish([source], [output]))
    return load_model(path)


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return model(tmp_path_factory.mktemp("m") / "whole.tflite", 32)


def rows(document):
    return {row["name"]: row for row in document["layers"]}


def test_figures_are_those_of_a_network_with_so_many_filters(graph, tmp_path):
    """Both layers, cycles, energy and link bytes: the second has fewer channels to read."""
    document = whatif(graph, CONFIG, prune={"000_CONV_2D": 0.5})
    before = graph_report(graph, CONFIG)
    thin = graph_report(model(tmp_path / "thin.tflite", 16), CONFIG)
    for row, first, second in zip(before["layers"], before["layers"], thin["layers"], strict=True):
        found = rows(document)[row["name"]]
        for name, old, new in (
            ("cycles", first["cycles"], second["cycles"]),
            ("energy", first["energy"]["total"], second["energy"]["total"]),
            ("link_bytes", first["link_bytes"], second["link_bytes"]),
        ):
            assert (found[name], found[f"{name}_after"]) == (old, new)
            assert new < old
    assert (rows(document)["000_CONV_2D"]["filters"], document["note"]) == (32, "")
    assert rows(document)["000_CONV_2D"]["filters_after"] == 16
    assert document["total"]["cycles_after"] == thin["total"]["cycles"]


def test_the_filters_of_least_magnitude_go(graph):
    before, after = graph.nodes[0], without_filters(graph, {"000_CONV_2D": 0.25}).nodes[0]
    sums = np.abs(before.weights.astype(int)).sum(axis=(1, 2, 3))
    gone = ~after.weights.any(axis=(1, 2, 3))
    assert gone.sum() == 8 and not after.bias[gone].any()
    assert sums[gone].max() <= sums[~gone].min()
    np.testing.assert_array_equal(after.weights[~gone], before.weights[~gone])


def test_a_removed_filter_has_the_real_number_0(graph):
    thin = without_filters(graph, {"001_CONV_2D": 0.5})
    x = np.random.default_rng(0).integers(-128, 128, (1, 6, 6, 8)).astype(np.int8)
    output = run_graph(thin, {thin.inputs[0]: x})[thin.outputs[0]]
    gone = ~thin.nodes[1].weights.any(axis=(1, 2, 3))
    (zero,) = thin.tensors[thin.outputs[0]].quantisation.zero_point
    assert (output[..., gone] == zero).all() and gone.sum() == 12


def test_narrow_weights_scale_products_and_filters_only(graph):
    document = whatif(graph, CONFIG, bits={"000_CONV_2D": 4})
    row, other = (rows(document)[name] for name in ("000_CONV_2D", "001_CONV_2D"))
    detail = graph_report(graph, CONFIG)["layers"][0]["energy"]["detail"]
    halved = sum(detail["mac"].values()) + sum(kinds.get("filter", 0) for kinds in detail.values())
    assert row["energy"] - row["energy_after"] == pytest.approx(halved / 2, rel=1e-5)
    assert row["cycles"] == row["cycles_after"] and other["energy"] == other["energy_after"]
    assert document["note"] == NO_HARDWARE


def test_layers_are_ranked_by_energy(graph):
    found = whatif(graph, CONFIG)["layers"]
    assert [row["rank"] for row in found] == [1, 2]
    assert found[0]["energy"] >= found[1]["energy"]
    assert sum(row["share"] for row in found) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"prune": {"x": 0.5}}, "not 'x'; there are 000_CONV_2D, 001_CONV_2D"),
        ({"prune": {"000_CONV_2D": 1.0}}, "below 1, not 1"),
        ({"prune": {"000_CONV_2D": 0.99}}, "some of its 32 filters"),
        ({"prune": {"000_CONV_2D": float("nan")}}, "not nan"),
        ({"bits": {"000_CONV_2D": 9}}, "1 to 8"),
        ({"bits": {"x": 4}}, "--bits must name a layer"),
    ],
)
def test_what_cannot_be_is_refused(graph, given, said):
    with pytest.raises(RowforgeError, match=said):
        whatif(graph, CONFIG, **given)


def test_the_command_prints_a_table_or_an_object(capsys):
    words = ("whatif", MODEL, "tiny", "--prune", "000_CONV_2D=0.5", "--bits", "005_CONV_2D=4")
    document = rowforge(capsys, *words, "--json").document
    printed = rowforge(capsys, *words)
    assert (printed.status, printed.err) == (0, "")
    assert NO_HARDWARE in printed.out
    assert f"{document['total']['cycles_after']:,}" in printed.out
    for text in ("000_CONV_2D", "=1", "000_CONV_2D=x", "000_CONV_2D=0.5,000_CONV_2D=0.5"):
        rowforge(capsys, "whatif", MODEL, "tiny", "--prune", text).assert_refused("--prune")
