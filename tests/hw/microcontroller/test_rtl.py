"""Networks on the RTL of a processor with its firmware: outputs equal to the golden model's."""

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.options import CompileOptions
from compiler.workloads.layers import LayerShape, layer_graph
from hw.arch.config import Config
from hw.arch.program import Send
from sim.golden import run_graph
from sim.link import RtlLink
from sw_driver.protocol.errors import LinkError
from sw_driver.runtime import Runtime
from tests.campaigns.fuzz.runner import OPTIMISE
from tests.thorough import thorough

BASE = {
    "control.kind": "microcontroller",
    "noc.ifmap": 1,
    "noc.filter": 1,
    "noc.psum_in": 1,
    "noc.psum_out": 1,
    "buffer.width": 32,
    "array.psum_width": 24,
    "buffer.depth": 1024,
    "link.width": 8,
}
SMALLEST = Config.of(
    {**BASE, "array.rows": 2, "array.cols": 1, "pe.psum_spad": 4, "pe.filter_spad": 128}
)
LARGER = Config.of(
    {
        **BASE,
        "noc.filter": 2,
        "link.width": 32,
        "array.rows": 3,
        "array.cols": 2,
        "noc.pipeline": 1,
    }
)
LAYERS = (LayerShape("a", 3, 8, 6, 3), LayerShape("b", 6, 6, 8, 1))


# Building a simulator takes nearly all of the time; the smaller one has a link of 8 bits.
BUILT = {"larger, with stalls": (LARGER, 5)} | thorough({}, {"smallest": (SMALLEST, None)})


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILT)
def test_layers_are_exact(name):
    config, stall_seed = BUILT[name]
    graph = layer_graph("small", LAYERS, seed=3)
    program = compile_graph(graph, config, CompileOptions(profile=True))
    rng = np.random.default_rng(4)
    specs = [program.tensors[index] for index in program.inputs]
    arrays = {x.name: rng.integers(-128, 128, x.shape).astype(x.dtype) for x in specs}
    link = RtlLink(config, stall_seed=stall_seed, patience=1_000_000, optimise=OPTIMISE)
    wanted = run_graph(graph, {x.key: arrays[x.name] for x in specs})
    for turn in range(3):
        outcome = Runtime(link, config).run(program, arrays)
        for index in program.outputs:
            output = program.tensors[index]
            np.testing.assert_array_equal(
                outcome.tensors[index], wanted[output.key].reshape(output.shape)
            )
        if turn == 1:
            _stop_in_the_middle(link, program)
        link.reset()
    link.close()


def _stop_in_the_middle(link, program):
    """Send the program but for its last words, and let it get stuck where it then is."""
    words = np.concatenate([step.words for step in program.steps if isinstance(step, Send)])
    link.send(words[:-40])
    with pytest.raises(LinkError):
        link.receive(1 << 12)
