"""Filters as codes: programs carry the shorter form, and everyone takes it for the filters."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.ir.graph import Graph
from compiler.ir.ops import Conv
from compiler.options import CompileOptions
from compiler.workloads.layers import LayerShape
from hw.arch.commands import BEGIN, HEADER, REGION, START, Opcode
from hw.arch.config import Config
from hw.arch.fields import WORD_BITS
from hw.arch.program import Program, Send
from rowforge.running.crop import Workload
from rowforge.running.seeded import Shares, seeded_layer, sparse_values
from sim.cycles import predict
from sim.cycles.stream import commands
from sim.functional import FunctionalAccelerator
from sim.golden import run_graph
from sw_driver.protocol.errors import ProgramError
from sw_driver.runtime import Runtime
from tests.support.placed_filters import place_every_image

FIELDS = {"link.coding": "mask", "control.access_counters": True}
DENSE = LayerShape("dense", 1, 256, 48, 1)


def layer(width: int, zeros: float, **fields: Any) -> tuple[Config, Graph, Any]:
    """(configuration, a fully connected layer with such a share of zero weights, its input)."""
    narrow = {"array.data_width": width, "noc.filter": 4, **FIELDS, **fields}
    config = Config.of(narrow)
    graph, x = seeded_layer(Workload(config, DENSE, 1), Shares(0.5, 0.5), seed=1)
    (node,) = graph.nodes
    assert isinstance(node, Conv)
    weights = sparse_values(node.weights.shape, width, zeros, 3)
    return config, replace(graph, nodes=(replace(node, weights=weights),)), x


def compiled(graph: Graph, config: Config) -> Program:
    return compile_graph(graph, config, CompileOptions(wrap=True, profile=True))


def counters(program: Program, x: Any) -> tuple[Any, dict[str, int]]:
    run = Runtime(FunctionalAccelerator(program.config), program.config).run(program, x)
    (y,) = run.outputs.values()
    return y, run.counters[0]


def of_filters(program: Program) -> list[tuple[int, int]]:
    """Link words that every CONV, or LOAD among other words, carries: (sent, decoded or 0)."""
    found = []
    for number, step in enumerate(program.steps):
        if not isinstance(step, Send):
            continue
        for words in commands(step.words[0 if number else 1 + BEGIN.words :], dry=False):
            header = HEADER.unpack(words[:1].tolist())
            if header["opcode"] == Opcode.CONV:
                decoded = START.unpack(words[1 : 1 + START.words].tolist())["decoded"]
                found.append((header["length"], decoded))
            elif header["opcode"] == Opcode.LOAD:
                region = REGION.unpack(words[1 : 1 + REGION.words].tolist())
                found.append((header["length"], region["coded"] * region["words"]))
    return found


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("zeros", [0.0, 0.5, 0.91, 0.999])
def test_filters_are_codes_where_these_are_shorter(width: int, zeros: float) -> None:
    config, graph, x = layer(width, zeros)
    raw = compiled(graph, config.with_values({"link.coding": "none"}))
    program = compiled(graph, config)
    plain = [sent for sent, _ in of_filters(raw)]
    assert all(decoded == 0 for _, decoded in of_filters(raw))
    coded = 0
    for words, (sent, decoded) in zip(plain, of_filters(program), strict=True):
        assert (decoded == words and sent < words) or (decoded == 0 and sent == words)
        coded += decoded > 0
    assert bool(coded) == (zeros > 0)
    y, counted = counters(program, x)
    golden = run_graph(graph, x, psum_width=config.array.psum_width)[graph.outputs[0]]
    assert (y == golden).all()
    assert counted["link_filter_words"] == sum(sent for sent, _ in of_filters(program))
    assert counted["filter_words"] == sum(plain)
    if zeros == 0.91:
        # A bit for every element, the elements that are left, and a check word for each command.
        shares = (1 + 0.09 * width) / width
        assert counted["link_filter_words"] < 1.1 * shares * sum(plain) + 2 * len(plain)


@pytest.mark.parametrize("rate", [1, 0.2])
def test_the_cycle_model_takes_them_word_by_word(rate: float) -> None:
    config, graph, x = layer(8, 0.91)
    programs = [
        compiled(graph, config.with_values({"link.coding": coding})) for coding in ("mask", "none")
    ]
    coded, raw = (predict(program, rate=rate) for program in programs)
    assert coded == predict(programs[0], rate=rate, skip=False)
    _, counted = counters(programs[0], x)
    for name in ("link_filter_words", "filter_words"):
        assert coded.accesses[0].get(name, coded.layers[0][name]) == counted[name]
    assert (coded.cycles < 0.5 * raw.cycles) == (rate < 1)


def test_filters_for_the_buffer_are_codes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    place_every_image(monkeypatch)
    config, graph, x = layer(8, 0.91, **{"buffer.filters": True})
    program = compiled(graph, config)
    loads = [(sent, decoded) for sent, decoded in of_filters(program) if sent]
    assert any(decoded > 2 * sent for sent, decoded in loads)
    golden = run_graph(graph, x, psum_width=config.array.psum_width)[graph.outputs[0]]
    y, counted = counters(program, x)
    assert (y == golden).all()
    assert counted["link_filter_words"] == 0 < counted["glb_filter_reads"]
    assert (
        predict(program).layers[0]["link_in_words"]
        < predict(compiled(graph, config.with_values({"link.coding": "none"}))).layers[0][
            "link_in_words"
        ]
    )


def test_no_damage_to_them_becomes_a_tensor() -> None:
    config, graph, x = layer(8, 0.91)
    program = compiled(graph, config)
    sizes = [len(step.words) if isinstance(step, Send) else 0 for step in program.steps]
    place = sizes.index(max(sizes))
    send = program.steps[place]
    assert isinstance(send, Send)
    rng = np.random.default_rng(7)
    first, length = _payload(send.words, start=1 + BEGIN.words if place == 0 else 0)
    for word in rng.choice(length, 40, replace=False):
        words = send.words.copy()
        words[first + word] ^= np.uint64(1) << np.uint64(rng.integers(WORD_BITS))
        steps = [*program.steps]
        steps[place] = replace(send, words=words)
        damaged = replace(program, steps=tuple(steps))
        with pytest.raises(ProgramError, match="the code of a payload is damaged: command 0x8"):
            Runtime(FunctionalAccelerator(config), config).run(damaged, x)


def _payload(words: Any, *, start: int) -> tuple[int, int]:
    """(first word, length) of the first payload of a CONV that is a code."""
    for command in commands(words[start:], dry=False):
        header = HEADER.unpack(command[:1].tolist())
        if header["opcode"] == Opcode.CONV:
            assert START.unpack(command[1 : 1 + START.words].tolist())["decoded"]
            return start + len(command) - header["length"], header["length"]
        start += len(command)
    raise AssertionError("no CONV")
