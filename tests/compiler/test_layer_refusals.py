"""All layers that a configuration cannot serve, at once."""

from dataclasses import replace
from pathlib import Path

import pytest

from compiler.compile import compile_graph
from compiler.frontends import load_model
from compiler.ir.graph import Graph
from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.cli import main
from rowforge.configs import preset
from tests.support.refusals import well_formed
from tests.support.tflite.layers import LayerWriter

TINY = preset("tiny")
WINDOWS = ((1, 8), (9, 8), (3, 4), (9, 64), (7, 64), (11, 4))  # rows and columns, filters


def network() -> bytes:
    """Three convolutions, the middle one of few products; a softmax after either end."""
    layers = LayerWriter(1)
    x = layers.activation((1, 8, 8, 16))
    a = layers.conv(x, 16, (3, 3))
    b = layers.conv(a, 4, (1, 1))
    c = layers.conv(b, 64, (5, 5))
    return layers.finish([x], [layers.softmax(a), layers.softmax(c)])


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    path = tmp_path_factory.mktemp("model") / "m.tflite"
    path.write_bytes(network())
    return load_model(path)


def refusal(graph: Graph, config: Config, **options: bool) -> list[str]:
    with pytest.raises(RowforgeError) as caught:
        compile_graph(graph, config, CompileOptions(**options))
    assert well_formed(str(caught.value)), caught.value
    return str(caught.value).split("\n")


def test_every_sum_that_could_wrap(graph: Graph) -> None:
    heading, group = refusal(graph, TINY.with_values({"array.psum_width": 20}))
    assert heading == "2 layers cannot run:"
    assert group.startswith(
        "  2 x CONV_2D (layers 000_CONV_2D, 002_CONV_2D): for layer 000_CONV_2D, array.psum_"
    )
    assert group.endswith("--wrap lets them wrap; --allow-host-mac computes it on the host")


def test_every_layer_on_the_host(graph: Graph) -> None:
    _, group = refusal(graph, TINY, no_host=True)
    assert group.startswith("  2 x SOFTMAX (layers ")
    assert group.endswith(": SOFTMAX runs on the host, which --no-host forbids")


def test_layers_of_several_reasons(graph: Graph) -> None:
    narrow = TINY.with_values({"array.psum_width": 20})
    heading, *groups = refusal(graph, narrow, no_host=True, allow_host_mac=True)
    assert heading == "4 layers cannot run:"
    assert [line.split(" (")[0] for line in groups] == ["  2 x CONV_2D", "  2 x SOFTMAX"]
    compile_graph(graph, narrow, CompileOptions(allow_host_mac=True))


def test_layers_without_a_mapping_are_those_that_fail_alone(tmp_path: Path) -> None:
    """Windows from 1 x 1 to 11 x 11 under a small buffer: each refused layer is named, no other."""
    config = TINY.with_values({"buffer.depth": 32, "buffer.banks": 4})
    names, alone = [], []
    layers = LayerWriter(2)
    x = layers.activation((1, 12, 12, 8))
    outputs = [layers.conv(x, M, (R, R)) for R, M in WINDOWS]
    path = tmp_path / "m.tflite"
    path.write_bytes(layers.finish([x], outputs))
    graph = load_model(path)
    for node in graph.nodes:
        names.append(node.name)
        single = replace(graph, nodes=(node,), outputs=(node.output,))
        try:
            compile_graph(single, config)
        except RowforgeError:
            alone.append(node.name)
    assert 1 < len(alone) < len(names), alone
    message = "\n".join(refusal(graph, config))
    assert [name for name in names if name in message] == alone


def test_a_program_file_names_every_layer_on_the_host(tmp_path: Path, capsys) -> None:
    model, program = tmp_path / "m.tflite", tmp_path / "m.rfp"
    model.write_bytes(network())
    assert main(["compile", str(model), "--preset", "tiny", "-o", str(program)]) == 0
    capsys.readouterr()
    assert main(["run", str(program), "--no-host", "--target", "golden"]) == 2
    message = capsys.readouterr().err.removesuffix("\n")
    assert message.startswith(f"rowforge: {program}: 2 layers cannot run:\n  2 x SOFTMAX ")
    assert well_formed(message)
