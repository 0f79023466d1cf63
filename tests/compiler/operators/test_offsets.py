"""Layers whose biases are no multiples of the accumulator's unit: array, host, program, refusal."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.ir.graph import Graph
from compiler.ir.host_convolution import conv_step
from compiler.ir.host_steps import rescale_step
from compiler.ir.ops import Conv, Rescale
from compiler.operators.params import stage_output, stage_params
from compiler.options import CompileOptions
from hw.arch.commands import Rounding as Mode
from hw.arch.errors import RowforgeError
from hw.arch.program.file import load_program, save_program
from numerics.host.convolution import conv
from numerics.quantisation import Requant, RoundingRule, quantise_multiplier
from rowforge.configs import preset
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

HALF = np.full(1, 0.5)


def offset_stage(stage: Requant, offset: np.ndarray) -> Requant:
    """The stage in mode ORT with this offset."""
    return replace(stage, rounding=RoundingRule.ORT, offset=offset)


def offset_layer(rng: np.random.Generator) -> tuple[Graph, Conv]:
    """A small layer with a scale for each of its channels and an offset for each or for all."""
    graph = conv_graph(rng, (6, 7, 5), 11, (3, 2))
    node = graph.nodes[0]
    assert isinstance(node, Conv) and isinstance(node.stage, Requant)
    offset = rng.random(11) if rng.random() < 0.7 else rng.random(1)
    node = replace(node, stage=offset_stage(node.stage, offset))
    return replace(graph, nodes=(node,)), node


@pytest.mark.parametrize("seed", range(40))
def test_the_command_stream_is_the_golden_models(seed):
    """Any convolution on any array: tiles and chunks take their own channels' addends."""
    rng = np.random.default_rng(seed)
    while True:
        config = random_config(rng)
        graph = random_layer(rng, config)
        node = graph.nodes[0]
        stage = getattr(node, "stage", None)
        if isinstance(node, Conv) and isinstance(stage, Requant) and stage.dtype != "int32":
            break
    offset = rng.random(len(node.weights))
    graph = replace(graph, nodes=(replace(node, stage=offset_stage(stage, offset)),))
    try:
        check_graph(graph, config, rng, dump=True)
    except RowforgeError as error:  # some of these layers fit no such array
        assert "must be" in str(error)
        check_graph(graph, config, rng, allow_host_mac=True, wrap=True)


@pytest.mark.parametrize("seed", range(20))
def test_the_hosts_arithmetic_is_the_golden_models(seed):
    rng = np.random.default_rng(seed)
    _, node = offset_layer(rng)
    x = rng.integers(-128, 128, (2, *node.image)).astype("int8")
    node = replace(node, batch=2)
    step = conv_step(node, None)
    assert step.parameters["mode"] == "affine"
    ours = conv(x, *step.constants.values(), **step.parameters)
    np.testing.assert_array_equal(ours, convolve(node, x, None))
    without = replace(node, stage=replace(node.stage, offset=np.zeros(1)))
    assert conv_step(without, None).parameters["mode"] == "ort"


def test_the_real_bias_decides():
    """With scale 1/8, biases of 0 to 10 and a quarter: 4 alone is a tie, 4.25 is above it."""
    _, node = offset_layer(np.random.default_rng(0))
    stage = replace(node.stage, scale=np.full(1, 1 / 8), zero_point=0, offset=np.full(1, 0.25))
    node = replace(node, stage=stage, weights=np.zeros_like(node.weights), bias=np.arange(11))
    x = np.zeros((1, *node.image), np.int8)
    found = convolve(node, x, None)[0, 0, 0].tolist()
    assert found == [round(Fraction(4 * bias + 1, 32)) for bias in range(11)]
    without = replace(node, stage=replace(stage, offset=np.zeros(1)))
    assert convolve(without, x, None)[0, 0, 0].tolist()[4] == 0 != found[4]


def test_parameters_carry_the_addends():
    rng = np.random.default_rng(3)
    _, node = offset_layer(rng)
    bias, multiplier, shift, addend = stage_params(node.stage, node.bias, "n")
    assert stage_output(node.stage)["mode"] == Mode.AFFINE
    assert bias.tolist() == node.bias.tolist()
    for channel, scale in enumerate(node.stage.scale):
        assert (multiplier[channel], shift[channel]) == quantise_multiplier(float(scale))
        offset = float(np.broadcast_to(node.stage.offset, 11)[channel])
        assert addend[channel] == round(offset * int(multiplier[channel]))
    plain = replace(node.stage, offset=np.zeros(11))
    assert stage_output(plain)["mode"] == Mode.ORT
    assert not stage_params(plain, node.bias, "n")[3].any()


def test_a_program_file_carries_them(tmp_path):
    """On the array and on the host, after a file."""
    rng = np.random.default_rng(5)
    graph, _ = offset_layer(rng)
    inputs = random_inputs(graph, rng)
    golden = run_graph(graph, inputs)[graph.outputs[0]]
    for config, where in (
        (preset("tiny"), "array"),
        (preset("tiny").with_values({"array.psum_width": 16}), "host"),
    ):
        program = compile_graph(graph, config, CompileOptions(allow_host_mac=True))
        save_program(program, tmp_path / "p.rfp")
        again = load_program(tmp_path / "p.rfp", config)
        assert [layer.where for layer in again.layers] == [where]
        outcome = Runtime(FunctionalAccelerator(config), config).run(again, inputs)
        np.testing.assert_array_equal(outcome.tensors[again.outputs[0]], golden)


@pytest.mark.parametrize("rounding", ["tflm", "single"])
def test_other_roundings_are_refused_by_layer(rounding):
    graph, _ = offset_layer(np.random.default_rng(1))
    with pytest.raises(RowforgeError, match="^n: the bias is no multiple of .*rounding 'ort'"):
        graph.with_rounding(RoundingRule(rounding))
    assert graph.with_rounding(RoundingRule.ORT).nodes[0].stage.affine


def test_a_wrong_number_of_offsets_is_refused():
    _, node = offset_layer(np.random.default_rng(1))
    stage = replace(node.stage, scale=np.full(1, 0.01), offset=np.full(3, 0.5))
    with pytest.raises(RowforgeError, match="n: output scales and offsets must match 11 filters"):
        replace(node, stage=stage)


def test_a_rescaling_with_an_offset_stays_on_the_array():
    _, node = offset_layer(np.random.default_rng(1))
    stage = replace(node.stage, scale=np.full(1, 0.5), offset=HALF)
    fields = {"name": "r", "op": "QUANTIZE", "inputs": ("x",), "output": "y"}
    rescale = Rescale(**fields, input_zero_point=0, stage=stage)
    with pytest.raises(RowforgeError, match="r: rescaling with an offset must stay on the array"):
        rescale_step(rescale)
