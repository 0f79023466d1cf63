"""What a board says of itself, and whether it computes: identity, memory, arithmetic, a network."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compiler.compile import compile_graph
from compiler.ir.graph import Graph, Quantisation, Tensor
from compiler.ir.ops import Conv
from compiler.options import CompileOptions
from hw.arch import commands
from hw.arch.commands import Opcode
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.errors import RowforgeError
from hw.arch.program import Box, Load, Program, Send, Step, Store, TensorSpec, Words
from hw.arch.program.layout import region
from hw.arch.version import version_text
from numerics.quantisation import Requant, RoundingRule, WindowStage
from rowforge.demonstration import held_out_digits
from rowforge.running.board_memory import fill_and_compare
from rowforge.running.check import first_difference
from rowforge.running.compilation import compile_model, digits_model
from sim.golden import run_graph
from sw_driver.accelerator import Accelerator
from sw_driver.protocol.framed import FramedClient

DIGITS = 4
_SHAPE = (6, 6, 4)  # H, W, C of the arithmetic test's input
_FILTERS, _TAPS = 8, 3
_RUN = 32  # buffer words in a row of the memory test


@dataclass(frozen=True)
class Check:
    """One test's name, outcome (None: it does not apply) and what it saw."""

    name: str
    passed: bool | None
    seen: str


def self_test(accelerator: Accelerator, *, memory_words: int | None = None) -> Iterator[Check]:
    """All tests in turn; an exception of the driver ends them.

    `memory_words`: of the memory that programs are replayed from, how many are tested; None: all.
    """
    config = accelerator.config
    if config is None:
        raise RowforgeError("a self-test needs a board; a simulator target has none")
    yield _identity(accelerator, config)
    yield _memory(accelerator, config)
    if (memory := accelerator.board_memory) is not None:
        errors = fill_and_compare(memory, config.memory, words=memory_words)
        yield Check("board memory", errors.first is None, str(errors))
    yield _arithmetic(accelerator, config)
    yield _network(accelerator, config)
    yield _link(accelerator)


def _identity(accelerator: Accelerator, config: Config) -> Check:
    link = accelerator.link
    told = link.device_status()["hash"] if isinstance(link, FramedClient) else config_hash(config)
    seen = (
        f"{config.array.rows} × {config.array.cols} PEs, {config.array.data_width} bits, "
        f"{config.glb_bytes:,} bytes of buffer, configuration {told:016x}, driver {version_text()}"
    )
    return Check("identity", told == config_hash(config), seen)


# ---- memory -------------------------------------------------------------------------------------


def _memory(accelerator: Accelerator, config: Config) -> Check:
    """Random words into the whole buffer, then all of them back."""
    words = config.act_banks * config.buffer.depth
    rows = words // _RUN
    dtype = f"int{config.array.data_width}"
    shape = (1, rows, _RUN, config.lanes)
    limits = np.iinfo(dtype)
    random = np.random.default_rng(config_hash(config))
    sent = random.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    accelerator.load(_copy_program(config, shape, dtype))
    (came,) = accelerator.run_in_full(sent).outputs.values()
    wrong = int((came != sent).sum())
    total = sent.nbytes
    return Check("memory", not wrong, f"{wrong} wrong values in {total:,} bytes of the buffer")


def _copy_program(config: Config, shape: tuple[int, ...], dtype: str) -> Program:
    """Load a tensor that fills the buffer, store it into another one."""
    view = (shape[0], shape[1], shape[2], shape[3])
    box = Box((0, 1), (0, view[1]), (0, view[2]), (0, view[3]))
    fields = region(config, box, address=0, row_stride=view[2], plane_stride=view[1] * view[2])
    descriptor = commands.REGION.pack(fields)
    load = commands.command(Opcode.LOAD, descriptor, length=fields["words"])
    store = commands.command(Opcode.STORE, descriptor, fence=True)
    steps: tuple[Step, ...] = (
        Send(_words(commands.begin(config_hash(config)))),
        Load(_words(load), 0, box),
        Store(_words(store), 1, box),
        Send(_words(commands.command(Opcode.END))),
    )
    tensors = tuple(TensorSpec(name, name, shape, view, dtype) for name in ("sent", "came"))
    return Program(config, "memory", tensors, (0,), (1,), steps, ())


def _words(values: list[int]) -> Words:
    return np.array(values, dtype=np.uint64)


# ---- arithmetic ---------------------------------------------------------------------------------


def _arithmetic(accelerator: Accelerator, config: Config) -> Check:
    """A convolution of random values, against the golden model."""
    graph = _convolution(config)
    dtype = graph.tensors["x"].dtype
    limits = np.iinfo(dtype)
    random = np.random.default_rng(2)
    x = random.integers(limits.min, limits.max, (1, *_SHAPE), dtype=dtype, endpoint=True)
    program = compile_graph(graph, config, CompileOptions(wrap=True, dump=True))
    accelerator.load(program)
    outcome = accelerator.run_in_full(x)
    golden = run_graph(graph, x, psum_width=config.array.psum_width)
    difference, _ = first_difference(program, 0, outcome.tensors, golden)
    products = f"{graph.macs:,} products of {config.array.data_width} bits"
    return Check("arithmetic", difference is None, products if not difference else str(difference))


def _convolution(config: Config) -> Graph:
    wide = config.array.data_width == 16
    dtype = "int16" if wide else "int8"
    random = np.random.default_rng(1)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    shape = (_FILTERS, _TAPS, _TAPS, _SHAPE[2])
    stage: Requant | WindowStage = WindowStage(window=8, shift=10)
    if not wide:
        scale = random.uniform(1e-3, 4e-3, _FILTERS)
        stage = Requant(
            scale=scale, rounding=RoundingRule.TFLM, zero_point=3, low=low, high=high, dtype=dtype
        )
    node = Conv(
        name="conv",
        op="CONV_2D",
        inputs=("x",),
        output="y",
        image=_SHAPE,
        weights=random.integers(low, high, shape, dtype=dtype, endpoint=True),
        weight_zero_point=np.zeros(1, dtype=np.int64),
        bias=random.integers(-1000, 1000, _FILTERS),
        input_zero_point=0 if wide else -5,
        pad=(1, 1, 1, 1),
        stage=stage,
    )
    inputs, outputs = (1, *_SHAPE), (1, *_SHAPE[:2], _FILTERS)
    tensors = {
        "x": _tensor("x", inputs, dtype, 0 if wide else -5),
        "y": _tensor("y", outputs, dtype, 0 if wide else 3),
    }
    return Graph(name="arithmetic", tensors=tensors, nodes=(node,), inputs=("x",), outputs=("y",))


def _tensor(key: str, shape: tuple[int, ...], dtype: str, zero: int) -> Tensor:
    quantisation = Quantisation((1.0,), (zero,))
    return Tensor(name=key, key=key, shape=shape, dtype=dtype, quantisation=quantisation)


# ---- network and link ---------------------------------------------------------------------------


def _network(accelerator: Accelerator, config: Config) -> Check:
    """The digits that ship with the package, every layer against the golden model."""
    try:
        compiled = compile_model(digits_model(), config, keep_layers=True)
    except RowforgeError as error:
        return Check("network", None, f"the digits model does not run here: {error}")
    assert compiled.graph is not None and compiled.kept is not None
    digits = held_out_digits()
    right = 0
    for program in (compiled.kept, compiled.program.uncounted()):
        accelerator.load(program)
        right = 0
        for number, image in enumerate(digits.images[:DIGITS]):
            outcome = accelerator.run_in_full(image[np.newaxis])
            golden = run_graph(compiled.graph, image[np.newaxis])
            difference, _ = first_difference(program, number, outcome.tensors, golden)
            if difference is not None:
                return Check("network", False, str(difference))
            (scores,) = outcome.outputs.values()
            right += int(scores.argmax()) == int(digits.labels[number])
    return Check(
        "network", True, f"{DIGITS} digits equal to the golden model in every bit, {right} right"
    )


def _link(accelerator: Accelerator) -> Check:
    link = accelerator.link
    if not isinstance(link, FramedClient):
        return Check("link", None, "no frames, so nothing to count")
    host, board = link.statistics, link.device_status()
    seen = (
        f"{host.requests} requests, {host.bytes_out:,} bytes out, {host.bytes_in:,} in; "
        f"{host.retries} retries, {host.damaged} frames damaged here, {board['damaged']} there"
    )
    return Check("link", True, seen)
