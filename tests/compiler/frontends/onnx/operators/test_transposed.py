"""ConvTranspose as a convolution on the array; a normalisation that no product takes up."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.ir.ops import Conv, HostStep
from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from tests.campaigns.ort_arithmetic.run import campaign
from tests.compiler.frontends.onnx.test_moves import Made, X, Y
from tests.compiler.support import check_graph
from tests.support.onnx.models import ModelMaker, check, graph_of, unchecked


def decoder(m: Made, **given: Any) -> str:
    """A ConvTranspose of the image to five channels, with these attributes."""
    values = m.constant(m.rng.integers(-30, 31, (4, 5, 3, 3)).astype(np.int8))
    w = m.op("DequantizeLinear", values, *m.scale(2.0**-6, 0, "int8"))
    return m.op("ConvTranspose", m.x, w, **given)


def test_a_decoder_on_the_array(tmp_path: Path) -> None:
    """Stride 2, as in a U-Net: the host spreads the values, the array convolves them."""
    m = Made(1)
    y = decoder(m, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])
    graph = check(m.model(m.quantise(m.op("Relu", y), Y)), tmp_path, m.rng, levels=(False,))
    steps = [n for n in graph.nodes if isinstance(n, HostStep) and not n.folded]
    (conv,) = (n for n in graph.nodes if isinstance(n, Conv))
    assert "spread_ort" in [step.function for step in steps]
    assert conv.op == "ConvTranspose"
    assert (conv.stride, conv.output_image) == ((1, 1), (12, 12, 5))
    check_graph(graph, preset("tiny"), m.rng)


def test_a_stride_of_1_moves_nothing(tmp_path: Path) -> None:
    m = Made(2)
    graph = check(m.model(m.quantise(decoder(m), Y)), tmp_path, m.rng, levels=(False,))
    steps = [n.function for n in graph.nodes if isinstance(n, HostStep) and not n.folded]
    assert "spread_ort" not in steps


@pytest.mark.parametrize("name", ["ConvTranspose", "BatchNormalization of float32"])
def test_cases_of_the_campaign(name: str) -> None:
    tally = campaign(name, 15, 1)
    assert tally.failures == []
    assert tally.compared > 0


SENTENCES: list[tuple[dict[str, Any], str]] = [
    ({"group": 3}, "in 3 groups"),
    ({"strides": [0, 1]}, "its strides [0, 1] do not fit"),
    ({"pads": [4, 4, 4, 4]}, "its padding leaves nothing"),
    ({"output_shape": [99, 99]}, "its output [99, 99] exceeds [8, 8]"),
    ({"auto_pad": "LEFT"}, "its auto_pad 'LEFT' is unknown"),
    ({"kernel_shape": [2, 2]}, "its kernel_shape is not that of its weights"),
]


@pytest.mark.parametrize(("given", "sentence"), SENTENCES)
def test_what_does_not_fit_is_refused(given: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    m = Made(3)
    y = m.quantise(decoder(m, **given), Y)
    with pytest.raises(RowforgeError, match="cannot run") as raised:
        graph_of(unchecked(m, y), tmp_path)
    assert sentence in str(raised.value)


def test_a_normalisation_in_front_of_the_first_product(tmp_path: Path) -> None:
    """An image of floats, normalised on the host, then quantised for the array."""
    m = Made(4)
    parts = ([1.5, 0.5, 2, 1], [0.1, 0, -1, 2], [0.2, 0.1, 0, 1], [1, 2, 0.5, 3])
    parameters = (m.constant(np.asarray(part, np.float32)) for part in parts)
    x = m.op("BatchNormalization", m.input("image", (1, 4, 6, 6)), *parameters)
    y = m.quantise(m.conv(m.requantise(x, X)), Y)
    graph = check(m.model(y), tmp_path, m.rng, levels=(False,))
    steps = [n.function for n in graph.nodes if isinstance(n, HostStep) and not n.folded]
    assert steps == ["multiply_add", "quantise_ort"]


def test_a_normalisation_must_fit_its_input(tmp_path: Path) -> None:
    m = ModelMaker()
    parameters = [m.constant(np.ones(3, np.float32)) for _ in range(4)]
    y = m.op("BatchNormalization", m.input("x", (1, 4, 6, 6)), *parameters)
    with pytest.raises(RowforgeError, match="its scale has 3 values for 4 channels"):
        graph_of(unchecked(m, m.quantise(y, Y)), tmp_path)
