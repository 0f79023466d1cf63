"""A network on the RTL with its memory outside of the core: an SDRAM, and one behind AXI4."""

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.options import CompileOptions
from hw.arch.commands import Status
from hw.arch.config import Config
from hw.arch.images.messages import Message, message
from rowforge.selftest import _convolution
from sim.golden import run_graph
from sim.link import RtlLink
from sim.outside.behaviour import AxiBehaviour
from sw_driver.results import RUN_WORDS
from sw_driver.runtime import Runtime

pytestmark = pytest.mark.slow  # a simulator is built for each

SMALL = {
    "array.rows": 3,
    "array.cols": 1,
    "noc.filter": 1,
    "noc.ifmap": 1,
    "noc.psum_in": 1,
    "noc.psum_out": 1,
    "buffer.banks": 6,
    "buffer.depth": 64,
    "buffer.width": 32,
}
SDRAM = {
    "memory.kind": "sdram",
    "memory.chip": "x32_8mb",
    "memory.clock": 27_000,
    "memory.words": 1 << 12,
}
AXI = {"memory.kind": "axi", "memory.words": 1 << 12}
BAD = 7  # page of the memory behind AXI whose bursts fail
BEHAVIOUR = AxiBehaviour(latency=5, pauses=6, bad=BAD)


@pytest.fixture(scope="module", params=[SDRAM, AXI], ids=["sdram", "axi"])
def engine(request):
    """The configuration and a link whose streams stall at random."""
    config = Config.of(SMALL | request.param)
    link = RtlLink(config, stall_seed=1, optimise="-O0", patience=60_000, memory=BEHAVIOUR)
    yield config, link
    link.close()


def inputs(count):
    return np.random.default_rng(3).integers(-128, 128, (count, 6, 6, 4), dtype=np.int8)


def run(config, link, count):
    """A convolution on some inputs, compared with the golden model."""
    graph = _convolution(config)
    program = compile_graph(graph, config, CompileOptions(wrap=True, dump=True))
    x = inputs(count)
    (came,) = Runtime(link, config).run(program, x).outputs.values()
    for item, image in enumerate(x):
        golden = run_graph(graph, image[np.newaxis], psum_width=config.array.psum_width)
        assert (came[item] == golden["y"].reshape(came[item].shape)).all()


def test_a_network_is_exact(engine):
    run(*engine, 3)


def test_after_a_reset_of_everything_the_memory_starts_anew(engine):
    config, link = engine
    link.reset()
    run(config, link, 1)


def told(link, words):
    """The RUN block that answers a message: its status and value."""
    link.send(np.array(words, dtype=np.uint64))
    header, value, *_ = link.receive(1 + RUN_WORDS).tolist()
    return Status(header >> 8 & 0xFF), value


def test_an_access_that_fails_ends_a_run(engine):
    config, link = engine
    if config.memory.kind != "axi":
        pytest.skip("an SDRAM answers nothing")
    first = BAD << 9
    words = {"address": first + 3, "words": 8}
    assert told(link, message(Message.RUN, number=9, **words)) == (Status.BAD_MEMORY, first + 3)
    # Outside of a RUN the next one is refused for it, and only that one.
    for said in (message(Message.READ, **words), [*message(Message.WRITE, **words), *range(8)]):
        link.send(np.array(said, dtype=np.uint64))
        if len(said) < 8:
            link.receive(9)
        again = message(Message.RUN, number=9, **words)
        assert told(link, again) == (Status.BAD_MEMORY, first + 3)
    run(config, link, 1)
