"""Filters from the weight memory: a compiled program whose filters are moved there by hand."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.layer_graph import LayerShape, layer_graph
from hw.arch.commands import (
    BASES,
    BEGIN,
    CONSTANTS,
    HEADER,
    INDEX,
    LOOP,
    LOOPS,
    Opcode,
    begin,
    checksum,
    command,
)
from hw.arch.config import Config
from hw.arch.configfile import config_hash
from hw.arch.program import Program, Send
from sim.cycles import predict
from sim.cycles.stream import commands
from sim.link import RtlLink
from sw_driver.runtime import Session
from tests.fuzz.runner import OPTIMISE

CONFIG = Config(rows=2, cols=2, psum_spad=8, filter_spad=64, glb_depth=256, weight_memory=4096)
_BEHIND_BASES = CONSTANTS.words + BASES.words


def resident(words: np.ndarray, passes: list[int]) -> list[np.ndarray]:
    """The commands of a step with MEMORY before each CONV, whose filters are resident then.

    Every pass of a CONV must take equally many words. Appends the passes of each CONV to `passes`.
    """
    result: list[np.ndarray] = []
    for part in commands(words, dry=False):
        header = HEADER.unpack([int(part[0])])
        if header["opcode"] != Opcode.CONV:
            result.append(part)
            continue
        size = len(part) - header["length"]
        descriptor, filters = [int(word) for word in part[1:size]], part[size:]
        constants = CONSTANTS.unpack(descriptor)
        loops = [
            LOOP.unpack(descriptor[_BEHIND_BASES + i * LOOP.words :][: LOOP.words])
            for i in range(LOOPS)
        ]
        count = int(np.prod([loop["count"] for loop in loops]))
        assert len(filters) % count == 0
        passes.append(count)
        each = len(filters) // count
        changed = CONSTANTS.pack({**constants, "resident": 1})
        changed += BASES.pack({**BASES.unpack(descriptor[CONSTANTS.words :]), "weights": 3})
        for loop in loops:
            changed += LOOP.pack({**loop, "weights": each})
        index = INDEX.pack({"first": 3, "count": len(filters)})
        memory = command(Opcode.MEMORY, index, length=len(filters), fence=True)
        header.update(length=0, checksum=0)
        header["checksum"] = checksum(HEADER.pack(header)[0], changed)
        for piece in (memory, filters, HEADER.pack(header), changed):
            result.append(np.asarray(piece, dtype=np.uint64))
    return result


def moved(program: Program, passes: list[int]) -> Program:
    """The program, which streams its filters, with all of them in the weight memory of `CONFIG`."""
    steps = []
    start = np.array(begin(config_hash(CONFIG)), dtype=np.uint64)
    for step in program.steps:
        if isinstance(step, Send):
            words = step.words if steps else step.words[1 + BEGIN.words :]
            parts = [*([] if steps else [start]), *resident(words, passes)]
            step = Send(np.concatenate(parts), step.layer)
        steps.append(step)
    return replace(program, config=CONFIG, steps=tuple(steps))


@pytest.mark.slow
def test_resident_filters_cost_what_the_rtl_takes() -> None:
    graph = layer_graph("resident", (LayerShape("conv", 6, 8, 8, 3),), seed=1)
    passes: list[int] = []
    program = compile_graph(graph, replace(CONFIG, weight_memory=0), profile=True)
    changed = moved(program, passes)
    assert sum(passes) > 2
    link = RtlLink(CONFIG, patience=100_000, optimise=OPTIMISE)
    try:
        spec = program.tensors[program.inputs[0]]
        rng = np.random.default_rng(1)
        x = rng.integers(-128, 128, spec.shape).astype(spec.dtype)
        run = Session(link, CONFIG).run(changed, x)
    finally:
        link.close()
    model = predict(changed)
    assert model.cycles == run.cycles
    assert {name: run.counters[0][name] for name in model.layers[0]} == model.layers[0]
    assert model != predict(program)
