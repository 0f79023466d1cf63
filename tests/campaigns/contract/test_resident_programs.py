"""Filters in the weight memory as the compiler places them: exact, and at the model's cycles."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.options import CompileOptions
from compiler.workloads.layers import LayerShape, layer_graph
from hw.arch.accesses import counter_block, link_bytes, resident_bytes
from hw.arch.commands import begin, command
from hw.arch.config import Config
from hw.arch.counters import ACCESS_COUNTERS
from hw.arch.program.file import load_program, save_program
from rowforge.reports.report import report, table
from sim.cycles import predict
from sim.functional import FunctionalAccelerator
from sim.golden import run_graph
from sim.link import RtlLink
from sw_driver.protocol.errors import LinkError, ProgramError
from sw_driver.runtime import Runtime
from tests.campaigns.fuzz.runner import OPTIMISE

CONFIG = Config.of(
    {"array.rows": 2, "array.cols": 2, "pe.psum_spad": 8, "pe.filter_spad": 64, "buffer.depth": 256}
)
LAYERS = (
    LayerShape("a", 6, 8, 8, 3),
    LayerShape("b", 8, 8, 12, 3),
    LayerShape("c", 12, 6, 24, 1),
)
# Bytes of weight memory: none, too few for any filters, for some, for all.
SIZES = {"none": 0, "too small": 64, "partly": 1024, "all": 8192}
BEGIN_WORDS = begin(0)
# One simulator: its memory holds the filters of some of the layers, or all filters of the last two.
SIMULATED = {"buffer.weight_memory": SIZES["partly"], "control.access_counters": True}


def graph(seed=1, layers=LAYERS):
    return layer_graph("resident", layers, seed=seed)


def program(size, seed=1, layers=LAYERS, **values):
    config = CONFIG.with_values({"buffer.weight_memory": size, **values})
    return compile_graph(graph(seed, layers), config, CompileOptions(profile=True, dump=True))


def inputs(of, seed):
    rng = np.random.default_rng(seed)
    specs = [of.tensors[index] for index in of.inputs]
    return {spec.name: rng.integers(-128, 128, spec.shape).astype(spec.dtype) for spec in specs}


def run(session, of, seed=0, *, weights=1, layers=LAYERS):
    """A run whose every output is the golden model's."""
    arrays = inputs(of, seed)
    outcome = session.run(of, arrays)
    keys = {of.tensors[index].name: of.tensors[index].key for index in of.inputs}
    wanted = run_graph(
        graph(weights, layers), {keys[name]: array for name, array in arrays.items()}
    )
    assert of.outputs
    for index in of.outputs:
        spec = of.tensors[index]
        np.testing.assert_array_equal(outcome.tensors[index], wanted[spec.key].reshape(spec.shape))
    return outcome


def moved_bytes(of):
    return sum(link_bytes(of.config, layer.accesses) for layer in of.layers)


def resident(of):
    """By layer, the bytes of filters that are not streamed."""
    return [resident_bytes(of.config, layer.accesses) for layer in of.layers]


def test_more_memory_moves_fewer_words():
    programs = {name: program(size) for name, size in SIZES.items()}
    moved = {name: moved_bytes(of) for name, of in programs.items()}
    assert moved["none"] == moved["too small"] > moved["partly"] > moved["all"]
    for name, of in programs.items():
        kept = resident(of)
        assert moved[name] + sum(kept) == moved["none"]
        assert 8 * len(of.memory) <= SIZES[name]
        assert all(kept) == (name == "all") and any(kept) == (name in ("partly", "all"))
    sent = {
        name: sum(len(s.words) for s in of.steps if hasattr(s, "words"))
        for name, of in programs.items()
    }
    for name, of in programs.items():
        assert 8 * (sent["none"] - sent[name]) == sum(resident(of))


def test_equal_filters_are_kept_once():
    """Passes over rows and tiles read the same words: memory holds less than a run would move.

    In a small buffer too few psums wait for filters to stay in the PEs.
    """
    of = program(SIZES["all"], **{"buffer.depth": 64})
    assert 8 * len(of.memory) < sum(resident(of))


def test_reports_name_resident_bytes():
    of = program(SIZES["partly"])
    document = report(of, {}, None)
    assert [row["resident_bytes"] for row in document["layers"]] == resident(of)
    assert document["total"]["memory_bytes"] == 8 * len(of.memory)
    assert "resident" in table(document)
    assert "resident" not in table(report(program(0), {}, None))


@pytest.mark.parametrize("name", SIZES)
def test_the_command_stream_is_exact(name):
    of = program(SIZES[name])
    session = Runtime(FunctionalAccelerator(of.config), of.config)
    sent = [run(session, of, seed).memory_words for seed in range(3)]
    assert sent[1:] == [0, 0]
    assert sent[0] == (len(of.memory_stream()) if len(of.memory) else 0)


def test_a_program_file_keeps_the_memory(tmp_path):
    of = program(SIZES["all"])
    save_program(of, tmp_path / "p.rfp")
    loaded = load_program(tmp_path / "p.rfp")
    assert len(of.memory)
    np.testing.assert_array_equal(loaded.memory, of.memory)
    assert resident(loaded) == resident(of)
    run(Runtime(FunctionalAccelerator(of.config), of.config), loaded)


def test_another_program_is_noticed():
    first, other = program(8192), program(8192, seed=2)
    session = Runtime(FunctionalAccelerator(first.config), first.config)
    assert run(session, first).memory_words
    assert run(session, other, weights=2).memory_words
    assert run(session, first).memory_words
    assert not run(session, first).memory_words


def test_a_program_that_keeps_nothing_there_disturbs_nothing():
    first = program(8192)
    without = streamed_for(first)
    session = Runtime(FunctionalAccelerator(first.config), first.config)
    assert run(session, first).memory_words
    assert not run(session, without).memory_words
    assert not run(session, first).memory_words


def streamed_for(of):
    """The same program with all filters on the link: another configuration's, for this one."""
    streamed = program(0)
    words = streamed.steps[0].words.copy()
    words[: len(BEGIN_WORDS)] = of.steps[0].words[: len(BEGIN_WORDS)]
    steps = (replace(streamed.steps[0], words=words), *streamed.steps[1:])
    return replace(streamed, config=of.config, steps=steps)


@pytest.mark.slow
def test_filling_the_memory_is_counted():
    config = CONFIG.with_values(SIMULATED)
    of = compile_graph(graph(), config, CompileOptions(profile=True, dump=True))
    block = counter_block(config)
    told = []
    for link in (
        FunctionalAccelerator(config),
        RtlLink(config, patience=100_000, optimise=OPTIMISE),
    ):
        link.send(of.memory_stream())
        told.append(block.unpack(link.receive(1 + block.words).tolist()[1:]))
        link.close()
    assert len(of.memory)
    for name in (field.name for field in ACCESS_COUNTERS):
        wanted = len(of.memory) if name == "link_memory_words" else 0
        assert told[0][name] == told[1][name] == wanted, name


def test_after_an_error_the_memory_is_filled_again():
    of = program(8192)
    session = Runtime(FunctionalAccelerator(of.config), of.config)
    assert run(session, of).memory_words
    unknown = np.array(command(13), dtype=np.uint64)
    steps = (replace(of.steps[0], words=np.append(of.steps[0].words, unknown)), *of.steps[1:])
    with pytest.raises(ProgramError):
        session.run(replace(of, steps=steps), inputs(of, 0))
    assert run(session, of).memory_words
    assert not run(session, of).memory_words


class Board(FunctionalAccelerator):
    """An accelerator whose link can be pulled; a new connection finds it without memory."""

    pulled = False

    def send(self, words):
        if self.pulled:
            raise LinkError("the link is gone")
        super().send(words)

    def reset(self):
        self.__init__(self.config)
        self.pulled = False


def test_a_new_connection_fills_the_memory_again():
    of = program(8192)
    board = Board(of.config)
    session = Runtime(board, of.config)
    assert run(session, of).memory_words
    assert not run(session, of).memory_words
    board.pulled = True
    with pytest.raises(LinkError):
        run(session, of)
    assert run(session, of).memory_words
    assert not run(session, of).memory_words


def test_another_session_fills_the_memory_for_itself():
    of = program(8192)
    link = FunctionalAccelerator(of.config)
    assert run(Runtime(link, of.config), of).memory_words
    assert run(Runtime(link, of.config), of).memory_words


@pytest.mark.slow
@pytest.mark.parametrize(("layers", "kept"), [(LAYERS, {True, False}), (LAYERS[1:], {True})])
def test_the_rtl_is_exact_and_takes_the_cycles_of_the_model(layers, kept):
    of = program(SIZES["partly"], layers=layers, **{"control.access_counters": True})
    assert {words > 0 for words in resident(of)} == kept
    link = RtlLink(of.config, patience=100_000, optimise=OPTIMISE)
    try:
        session = Runtime(link, of.config)
        runs = [run(session, of, seed, layers=layers) for seed in range(3)]
    finally:
        link.close()
    assert bool(runs[0].memory_words) == bool(len(of.memory))
    assert not any(each.memory_words for each in runs[1:])
    model = predict(of)
    for each in runs:
        assert each.cycles == model.cycles
        for layer, counters in model.layers.items():
            assert {name: each.counters[layer][name] for name in counters} == counters
