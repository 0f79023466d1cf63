"""Links and programs for the tests of the driver."""

from collections import deque
from dataclasses import replace

import numpy as np

from hw.arch import commands
from hw.arch.commands import Opcode, ResultBlock, VectorOp
from hw.arch.config import Config
from hw.arch.program import (
    Box,
    Host,
    Layer,
    Load,
    Program,
    ProgramState,
    Query,
    Send,
    Store,
    TensorSpec,
)
from hw.arch.program.layout import region
from tb.models.streams import WordStream

CONFIG = Config()
SHAPE = (1, 3, 4, 5)
WHOLE = Box((0, 1), (0, 3), (0, 4), (0, 5))


class ScriptedLink:
    """Answers with prepared words, whatever is sent; remembers how much had been sent before."""

    def __init__(self, *blocks):
        self.answers = deque(word for block in blocks for word in block)
        self.sent = []
        self.sent_before = []
        self.closed = False

    def send(self, words):
        self.sent.extend(words.tolist())

    def receive(self, count):
        self.sent_before.append(len(self.sent))
        return np.array([self.answers.popleft() for _ in range(count)], dtype=np.uint64)

    def cycles(self):
        return 1234

    def close(self):
        self.closed = True


def block(kind, words, *, status=0, tag=0):
    header = {"block": kind, "status": status, "tag": tag, "length": len(words)}
    return [*commands.RESULT.pack(header), *words]


def status(code=0, value=0, tag=0):
    return block(ResultBlock.STATUS, [value], status=code, tag=tag)


def words(build):
    """The words that a stream gains from `build(stream)`, without those that start a program."""
    stream = WordStream(CONFIG)
    start = len(stream.words)
    build(stream)
    return np.array(stream.words[start:], dtype=np.uint64)


def box_command(opcode, box, address, *, fence=False):
    _, rows, columns, _ = (stop - start for start, stop in vars(box).values())
    strides = {"row_stride": columns, "plane_stride": rows * columns}
    fields = region(CONFIG, box, address=address, **strides, load=opcode is Opcode.LOAD)
    descriptor = commands.REGION.pack(fields)
    length = fields["words"] if opcode is Opcode.LOAD else 0
    command = commands.command(opcode, descriptor, length=length, fence=fence)
    return np.array(command, dtype=np.uint64)


def maximum(source, target):
    """A VECTOR command that copies, limited to 0 and more."""
    fields = {"op": VectorOp.MAX, "left": source, "output": target, "rows": 3, "columns": 4}
    fields |= {"height": 3, "width": 4, "row_stride": 4, "output_row_stride": 4, "low": 0}
    return words(lambda stream: stream.vector(fields))


def make_program():
    """in -> ReLU (array) -> mid -> reversed rows (host) -> rev -> ReLU (array) -> out.

    `mid` is stored in two boxes, and its load waits for both.
    """
    tensors = tuple(
        TensorSpec(name, name, SHAPE, SHAPE, "int8") for name in ["in", "mid", "rev", "out"]
    )
    upper, lower = Box((0, 1), (0, 2), (0, 4), (0, 5)), Box((0, 1), (2, 3), (0, 4), (0, 5))
    steps = (
        Send(words(lambda stream: stream.params([0]))),
        Load(box_command(Opcode.LOAD, WHOLE, 0), 0, WHOLE, 0),
        Send(maximum(0, 100), 0),
        Store(box_command(Opcode.STORE, upper, 100, fence=True), 1, upper, layer=0),
        Store(box_command(Opcode.STORE, lower, 108, fence=True), 1, lower, layer=0),
        Query(words(lambda stream: stream.command(Opcode.COUNTERS)), 0),
        Query(words(lambda stream: stream.command(Opcode.COUNTERS)), 0),
        Host(
            "slice",
            (1,),
            (2,),
            {"axes": (1,), "start": (2,), "stop": (None,), "step": (-1,)},
            1,
        ),
        Load(box_command(Opcode.LOAD, WHOLE, 200), 2, WHOLE, 2),
        Send(maximum(200, 300), 2),
        Store(box_command(Opcode.STORE, WHOLE, 300, fence=True), 3, WHOLE, layer=2),
        Query(words(lambda stream: stream.command(Opcode.COUNTERS)), 2),
        Send(words(lambda stream: stream.end())),
    )
    begin = Send(np.array(WordStream(CONFIG).words, dtype=np.uint64))
    layers = (
        Layer("a", "RELU", "array", "", 1),
        Layer("b", "REVERSE", "host", "test", 2),
        Layer("c", "RELU", "array", "", 3),
    )
    return Program(CONFIG, "relu", tensors, (0,), (3,), (begin, *steps), layers)


def make_spilling_program(config, *, hosted=False):
    """`make_program` without its host step, `mid` loaded from where it was stored.

    With `hosted` the user gets `mid` too.
    """
    steps = []
    for step in make_program().steps:
        if isinstance(step, Load) and step.tensor == 2:
            steps.append(Load(box_command(Opcode.LOAD, WHOLE, 200, fence=True), 1, WHOLE, 2))
        elif not isinstance(step, Host):
            steps.append(step)
    outputs = (3, 1) if hosted else (3,)
    return replace(make_program(), config=config, steps=tuple(steps), outputs=outputs)


STATE = np.full(SHAPE, 77, dtype=np.int8)


def make_stateful_program():
    """The last row of what was put out before, then the first two rows of the input -> ReLU -> out.

    What is put out, 77 at first, is the state; `stateful_outputs` computes the same.
    """
    names = {"in": SHAPE, "before": SHAPE, "joined": (1, 6, 4, 5), "mid": SHAPE, "out": SHAPE}
    tensors = tuple(TensorSpec(name, name, shape, shape, "int8") for name, shape in names.items())
    cut = {"axes": (1,), "start": (2,), "stop": (5,), "step": (1,)}
    steps = (
        Send(np.array(WordStream(CONFIG).words, dtype=np.uint64)),
        Send(words(lambda stream: stream.params([0]))),
        Host("concat", (1, 0), (2,), {"axis": 1}),
        Host("slice", (2,), (3,), cut),
        Load(box_command(Opcode.LOAD, WHOLE, 0), 3, WHOLE, 0),
        Send(maximum(0, 100), 0),
        Store(box_command(Opcode.STORE, WHOLE, 100, fence=True), 4, WHOLE, layer=0),
        Send(words(lambda stream: stream.end())),
    )
    layers = (Layer("a", "RELU", "array", "", 4),)
    states, constants = (ProgramState(1, 4),), {1: STATE}
    return Program(CONFIG, "ring", tensors, (0,), (4,), steps, layers, constants, states=states)


def stateful_outputs(inputs, before=STATE):
    """What consecutive steps of `make_stateful_program` put out."""
    outputs = []
    for one in np.split(inputs, len(inputs)):
        before = np.maximum(np.concatenate([before, one], axis=1)[:, 2:5], 0)
        outputs.append(before)
    return np.concatenate(outputs)
