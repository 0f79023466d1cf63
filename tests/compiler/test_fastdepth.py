"""A network with a decoder and skips: equal to its interpreter, and nothing of it on the host."""

from pathlib import Path

import numpy as np

from compiler.compile import compile_graph
from compiler.frontends import load_model
from rowforge.configs import preset
from sim.functional import FunctionalAccelerator
from sim.golden.run import run_graph
from sw_driver.runtime import Runtime
from tests.support.tflite.fastdepth import fastdepth
from tests.support.tflite.layers import tflm_run

SIZE = 32
SEED = 14  # of weights that leave the output many values


def test_fastdepth_is_computed_in_the_buffer(tmp_path: Path) -> None:
    path = tmp_path / "fastdepth.tflite"
    path.write_bytes(fastdepth(SEED, size=SIZE))
    graph = load_model(path)
    image = np.random.default_rng(2).integers(-128, 128, (1, SIZE, SIZE, 3)).astype(np.int8)
    (key,) = graph.outputs
    golden = run_graph(graph, image)[key]
    np.testing.assert_array_equal(golden, tflm_run(path.read_bytes(), image))
    assert len(np.unique(golden)) > 20
    config = preset("eyeriss_v1_int8")
    program = compile_graph(graph, config)
    assert {layer.where for layer in program.layers} == {"array"}
    assert sum(layer.op == "RESIZE_NEAREST_NEIGHBOR" for layer in program.layers) == 5
    inputs = {graph.tensors[graph.inputs[0]].name: image}
    outcome = Runtime(FunctionalAccelerator(config), config).run(program, inputs)
    np.testing.assert_array_equal(outcome.tensors[program.outputs[0]], golden)
