"""Convolutions that an array cannot map, on the host: as the golden model, and only when asked."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.frontends import load_model
from compiler.ir.host_convolution import conv_step
from compiler.ir.ops import Conv
from compiler.options import CompileOptions
from hw.arch.accesses import Level
from hw.arch.config import Config
from hw.arch.config.file import render_toml
from hw.arch.errors import RowforgeError
from hw.arch.program.file import load_program, save_program
from numerics.host.convolution import conv
from rowforge.configs import preset
from rowforge.reports.report import report
from sim.functional import FunctionalAccelerator
from sim.golden import run_graph
from sim.golden.convolution import convolve
from sw_driver.runtime import Runtime
from tests.compiler.support import (
    check_graph,
    conv_graph,
    random_config,
    random_inputs,
    random_layer,
)
from tests.rowforge.support import DIGITS, MODEL, rowforge
from tests.support.tflite.layers import RELU, LayerWriter, tflm_run

# The shipped model's first layer needs 18 bits.
NARROW = preset("tiny").with_values({"array.psum_width": 16})


def run_and_compare(graph, config, **options):
    """Every tensor that the host gets is the golden model's, whose psums do not wrap."""
    program = compile_graph(graph, config, CompileOptions(allow_host_mac=True, **options))
    inputs = random_inputs(graph, np.random.default_rng(0))
    outcome = Runtime(FunctionalAccelerator(config), config).run(program, inputs)
    golden = run_graph(graph, inputs)
    compared = 0
    for index, array in outcome.tensors.items():
        key = program.tensors[index].key
        if key in golden:
            np.testing.assert_array_equal(array.reshape(-1), golden[key].reshape(-1), err_msg=key)
            compared += 1
    assert compared >= len(graph.inputs) + len(graph.outputs)


@pytest.mark.parametrize("seed", range(60))
def test_the_arithmetic_is_the_golden_models(seed):
    rng = np.random.default_rng(seed)
    while True:
        config = random_config(rng)
        graph = random_layer(rng, config)
        node = graph.nodes[0]
        if isinstance(node, Conv):
            break
    width = (None, config.array.psum_width)[seed % 2]
    source = graph.tensors[node.inputs[0]]
    info = np.iinfo(source.dtype)
    x = rng.integers(info.min, info.max, source.shape, endpoint=True).astype(source.dtype)
    step = conv_step(node, width)
    ours = conv(x, *step.constants.values(), **step.parameters)
    theirs = convolve(node, x, width)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours.reshape(theirs.shape), theirs)


def test_a_layer_without_a_mapping_is_refused_unless_the_host_may():
    graph = conv_graph(np.random.default_rng(1), (6, 6, 8), 12, (3, 3))
    config = Config.of(
        {
            "array.rows": 1,
            "array.cols": 1,
            "pe.filter_spad": 32,
            "pe.ifmap_spad": 4,
            "array.psum_width": 16,
        }
    )
    with pytest.raises(RowforgeError, match="psum_width .* --allow-host-mac computes it"):
        compile_graph(graph, config)
    run_and_compare(graph, config)
    layer = compile_graph(graph, config, CompileOptions(allow_host_mac=True)).layers[0]
    assert layer.where == "host"
    assert "psum_width must be at least" in layer.reason
    with pytest.raises(RowforgeError, match="--no-host forbids"):
        compile_graph(graph, config, CompileOptions(allow_host_mac=True, no_host=True))


@pytest.mark.parametrize("seed", [10, 78, 124, 300])
def test_a_layer_that_no_tile_fits(seed):
    """One output pixel does not fit the buffer; psums wrap to the array's width on the host too."""
    rng = np.random.default_rng(seed)
    config = random_config(rng)
    graph = random_layer(rng, config)
    with pytest.raises(RowforgeError, match="buffer.banks must be at least"):
        compile_graph(graph, config, CompileOptions(wrap=True))
    for options in ({}, {"dump": True}, {"rounding": "ort"}, {"rounding": "single"}):
        check_graph(graph, config, rng, wrap=True, allow_host_mac=True, **options)


def test_host_and_array_layers_mix(tmp_path):
    """Only the layer without a mapping moves; neighbours stay, and every tensor is right."""
    layers = LayerWriter(3)
    x = layers.activation((1, 5, 5, 4))
    a = layers.conv(x, 4, (1, 1), activation=RELU)
    b = layers.conv(a, 8, (3, 3))
    c = layers.conv(b, 4, (1, 1))
    y = layers.binary("ADD", a, c)
    content = layers.finish([x], [y])
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    graph = load_model(path)
    config = preset("tiny").with_values({"array.psum_width": 20})
    middle = graph.nodes[1]
    assert isinstance(middle, Conv)
    wide = replace(middle, weights=np.full_like(middle.weights, 127))
    heavy = replace(graph, nodes=(graph.nodes[0], wide, *graph.nodes[2:]))
    with pytest.raises(RowforgeError, match="001_CONV_2D"):
        compile_graph(heavy, config)
    for dump in (False, True):
        run_and_compare(heavy, config, dump=dump)
    program = compile_graph(heavy, config, CompileOptions(allow_host_mac=True, profile=True))
    assert [layer.where for layer in program.layers] == ["array", "host", "array", "array"]
    assert program.layers[1].accesses.words(Level.LINK) > 0
    assert program.layers[1].macs == wide.macs
    document = report(program, {}, None)
    on_array = sum(layer.macs for layer in program.layers if layer.where == "array")
    lanes = config.array.rows * config.array.cols * config.pe.macs
    expected = on_array / (document["total"]["model_cycles"] * lanes)
    assert document["total"]["utilization"] == pytest.approx(expected, abs=1e-4)
    values = layers.input_values(x)
    golden = run_graph(graph, values)[graph.outputs[0]]
    np.testing.assert_array_equal(golden, tflm_run(content, values))


def test_a_program_file_carries_the_step(tmp_path):
    graph = conv_graph(np.random.default_rng(4), (5, 5, 3), 4, (3, 3))
    config = NARROW.with_values({"array.psum_width": 16})
    program = compile_graph(graph, config, CompileOptions(allow_host_mac=True))
    save_program(program, tmp_path / "p.rfp")
    again = load_program(tmp_path / "p.rfp", config)
    assert [layer.where for layer in again.layers] == ["host"]
    assert {spec.dtype for spec in again.tensors} >= {"int8", "int64"}


def test_the_command(capsys, tmp_path):
    path, x, y = tmp_path / "c.toml", tmp_path / "x.npy", tmp_path / "y.npy"
    path.write_text(render_toml(NARROW))
    np.save(x, DIGITS.images[:3])
    arguments = ("run", MODEL, "--config", path, "--target", "golden", "--input", x)
    outcome = rowforge(capsys, *arguments)
    outcome.assert_refused("000_CONV_2D", "psum_width", "--allow-host-mac")
    allowed = (*arguments, "--output", y, "--check", "--allow-host-mac", "--json")
    outcome = rowforge(capsys, *allowed)
    assert outcome.status == 0, outcome.err
    first = outcome.document["layers"][0]
    assert first["where"] == "host"
    assert "psum_width" in first["reason"]
    assert first["macs"] > 0
    np.testing.assert_array_equal(np.load(y).argmax(axis=1), DIGITS.labels[:3])
