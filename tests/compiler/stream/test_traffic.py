"""Link words of layers by type: every word of the stream is counted once, under its role."""

from collections import Counter

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.options import CompileOptions
from compiler.stream.traffic import LinkCounter, Transfers
from compiler.workloads.layers import LayerShape, layer_graph
from hw.arch.accesses import Access, Accesses, DataType, Direction, Level
from hw.arch.commands import HEADER, Opcode
from hw.arch.config import Config
from hw.arch.program import Load, Program, Send, Store
from hw.arch.program.layout import box_words, link_words, load_words
from sim.cycles.stream import commands

CONFIG = Config.of({"array.rows": 2, "array.cols": 2, "buffer.depth": 64})
READ, WRITE = Direction.READ, Direction.WRITE


def link(program: Program) -> Accesses:
    """Link words of all layers together."""
    found = sum((layer.accesses for layer in program.layers), Accesses())
    return Accesses.of({a: n for a, n in found.items() if a.level is Level.LINK})


def compiled(**options: bool) -> Program:
    """Three layers that do not fit the buffer: the first two results go to the host and back."""
    layers = (
        LayerShape("a", 20, 8, 24, 3, pad=1),
        LayerShape("b", 20, 24, 24, 3, pad=1),
        LayerShape("c", 20, 24, 8, 1),
    )
    return compile_graph(layer_graph("net", layers, seed=1), CONFIG, CompileOptions(**options))


def moved(program: Program, kind: type[Load | Store], tensors: set[int]) -> int:
    """Payload words of the loads or stores of some tensors."""
    boxes = [
        step.box for step in program.steps if isinstance(step, kind) and step.tensor in tensors
    ]
    if kind is Load:
        return sum(load_words(CONFIG, box) for box in boxes)
    return sum(link_words(CONFIG, box_words(CONFIG, box)) for box in boxes)


def test_tensors_count_by_their_role() -> None:
    program = compiled()
    loaded = {step.tensor for step in program.steps if isinstance(step, Load)}
    stored = {step.tensor for step in program.steps if isinstance(step, Store)}
    spilled = loaded & stored
    assert spilled and loaded - spilled and stored - spilled
    words = link(program)
    for data, direction, kind, tensors in (
        (DataType.INPUT, READ, Load, loaded - spilled),
        (DataType.OUTPUT, WRITE, Store, stored - spilled),
        (DataType.SPILL, READ, Load, spilled),
        (DataType.SPILL, WRITE, Store, spilled),
    ):
        assert words[Access(Level.LINK, data, direction)] == moved(program, kind, tensors) > 0
    assert words.words(data=DataType.INPUT, direction=WRITE) == 0


def test_loads_and_stores_are_counted_at_the_buffer() -> None:
    program = compiled()
    for data, direction, kind in (
        (DataType.IFMAP, WRITE, Load),
        (DataType.OFMAP, READ, Store),
    ):
        access = Access(Level.BUFFER, data, direction)
        words = sum(box_words(CONFIG, step.box) for step in program.steps if isinstance(step, kind))
        counted = sum(layer.accesses[access] for layer in program.layers)
        assert counted == words * CONFIG.lanes > 0


_PAYLOADS = {
    Opcode.CONV: DataType.FILTER,
    Opcode.PARAMS: DataType.TABLE,
    Opcode.SHORT_PARAMS: DataType.TABLE,
    Opcode.TABLE: DataType.TABLE,
}


def test_commands_tables_and_filters_are_those_of_the_stream() -> None:
    program = compiled()
    sent: Counter[DataType] = Counter()
    for step in program.steps:
        if isinstance(step, Send) and step.layer >= 0:
            for words in commands(step.words, dry=False):
                header = HEADER.unpack([int(words[0])])
                data = _PAYLOADS.get(Opcode(header["opcode"]), DataType.COMMAND)
                sent[data] += header["length"]
                sent[DataType.COMMAND] += len(words) - header["length"]
        elif isinstance(step, Load | Store):
            sent[DataType.COMMAND] += len(step.words)
    words = link(program)
    for data in (DataType.COMMAND, DataType.TABLE, DataType.FILTER):
        assert words[Access(Level.LINK, data, READ)] == sent[data] > 0
    headers = sum(isinstance(step, Store) for step in program.steps)
    assert words[Access(Level.LINK, DataType.COMMAND, WRITE)] == headers


def test_a_tensor_that_the_host_wants_is_an_output() -> None:
    counter = LinkCounter(CONFIG)
    for direction, data in ((WRITE, DataType.OUTPUT), (READ, DataType.INPUT)):
        counter.count(0, 5, data, direction, hidden=True, tensor=3)
    kinds = [Access(Level.LINK, DataType.SPILL, READ), Access(Level.LINK, DataType.SPILL, WRITE)]
    spilled, wanted = counter.traffic(())[0], counter.traffic((3,))[0]
    assert [spilled.accesses[kind] for kind in kinds] == [5, 5]
    assert [wanted.accesses[kind] for kind in kinds] == [5, 0]
    assert wanted.accesses[Access(Level.LINK, DataType.OUTPUT, WRITE)] == 5


def test_time_and_type_of_words_are_counted_apart() -> None:
    counter = LinkCounter(CONFIG)
    counter.count(2, 7, DataType.COMMAND, hidden=False)
    counter.count(2, 11, DataType.COMMAND, hidden=True)
    counter.count(2, 13, DataType.FILTER, hidden=True)
    counter.count(2, 17, DataType.OUTPUT, WRITE, hidden=True, tensor=0)
    counter.stay(2, 19)
    (traffic,) = counter.traffic((0,)).values()
    assert traffic.transfers == Transfers(filters=13, loaded=11, stored=17, exposed=7)
    assert traffic.accesses.words(Level.LINK) == traffic.transfers.words
    assert traffic.accesses.words(Level.BUFFER, DataType.FILTER) == 8 * 19  # 8 bits each


@pytest.mark.parametrize("dump", [False, True])
def test_nothing_is_counted_twice(dump: bool) -> None:
    program = compiled(dump=dump)
    total = sum(
        len(step.words)
        for step in program.steps
        if isinstance(step, Send | Load | Store) and step.layer >= 0
    )
    tensors = {*range(len(program.tensors))}
    total += sum(moved(program, kind, tensors) for kind in (Load, Store))
    headers = sum(isinstance(step, Store) for step in program.steps)
    assert link(program).total == total + headers
    assert np.prod([layer.accesses.words(Level.LINK) for layer in program.layers]) > 0


def test_the_link_bounds_a_layer_whose_words_take_longer_than_it_computes():
    moved = Transfers(filters=50, loaded=30, stored=500, exposed=20, reads=900)
    assert moved.longer_than(99) and not moved.longer_than(100)
    graph = layer_graph("dense", [LayerShape("dense", H=1, C=128, M=128, R=1)], seed=1)
    for width in (1, 8):
        config = Config.of({"noc.filter": width, "array.rows": 12, "array.cols": 14})
        layer = compile_graph(graph, config, CompileOptions()).layers[0]
        longer = Transfers(**layer.transfers).longer_than(layer.computing)
        assert (layer.bound == "link") is longer is (width == 8)
