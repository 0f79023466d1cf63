"""A compiled program: tensors, steps and layers. Written by the compiler, run by the driver.

A program computes one inference. Its steps are executed in order by the host: words are sent to the
accelerator, boxes of host tensors are loaded into its buffer and stored back, and host operators
run in between. The `.rfp` file form is `hw.arch.program.file`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hw.arch import commands
from hw.arch.accesses import Accesses
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.program.routing import routed
from hw.arch.routes import Rectangle, RouteKind

Words: TypeAlias = NDArray[np.uint64]


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of the program as the host sees it.

    `shape` is the model's own shape; `view` is the same data as (items, height, width, channels),
    the form in which it is loaded and stored.
    """

    name: str
    key: str
    shape: tuple[int, ...]
    view: tuple[int, int, int, int]
    dtype: str
    scale: float = 1.0
    zero_point: int = 0

    @property
    def raw(self) -> bool:
        """Whether it holds results of 32 bits."""
        kind = np.dtype(self.dtype)
        return kind.itemsize == 4 and kind.kind in "iu"


@dataclass(frozen=True)
class Box:
    """A box of a tensor's view: half-open ranges of item, row, column and channel."""

    items: tuple[int, int]
    rows: tuple[int, int]
    columns: tuple[int, int]
    channels: tuple[int, int]


@dataclass(frozen=True)
class Send:
    """Words for the command stream, payloads included; they cause no result blocks.

    `layer` is the index in `Program.layers` that the words belong to (-1: none).
    """

    words: Words
    layer: int = -1


@dataclass(frozen=True)
class Load:
    """A LOAD command; its payload is `box` of the tensor in the activation layout.

    `words` are header and descriptor; lanes after the last channel are filled with 0.
    """

    words: Words
    tensor: int
    box: Box
    layer: int = -1


@dataclass(frozen=True)
class Store:
    """A STORE command; the data block that answers is `box` of the tensor in the activation layout.

    In a `raw` tensor (int32) an element takes 32 / `array.data_width` lanes.
    """

    words: Words
    tensor: int
    box: Box
    raw: bool = False
    layer: int = -1


@dataclass(frozen=True)
class Query:
    """A COUNTERS command; its counter block belongs to `layer`.

    It waits for everything before it, but no later command relies on that: a program computes the
    same without its queries, and takes fewer cycles.
    """

    words: Words
    layer: int


@dataclass(frozen=True)
class Host:
    """An operator that the host computes from host tensors (see `numerics.host`)."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    layer: int = -1


Step: TypeAlias = Send | Load | Store | Query | Host


@dataclass(frozen=True)
class Layer:
    """One operator of the model: where it runs, why, and what it costs.

    `accesses` are those of every run: on the chip as the mapper counts them, on the link as the
    program has them. `model_cycles` are the mapper's; `computing` are those without transfers, and
    `transfers` the words that move beside them or not (`compiler.stream.traffic.Transfers`).
    `removed` counts the channels that the compiler took out of the layer, by kind, and the MACs
    that went with them (`compiler.removal.rewrite.Removed`); empty where nothing went.
    """

    name: str
    op: str
    where: str  # "array", "host" or "folded"
    reason: str
    output: int  # tensor index of its result, -1 if it has none of its own
    macs: int = 0
    model_cycles: int | None = None
    computing: int | None = None
    transfers: Mapping[str, int] = field(default_factory=dict)
    accesses: Accesses = Accesses()
    bound: str = ""
    mapping: Mapping[str, Any] = field(default_factory=dict)
    removed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ProgramState:
    """A value that lives from one run to the next, which the host carries.

    A run finds it in the tensor `read` and leaves the next one's in the tensor `write`, of the same
    type and number of elements; nothing else writes `read`. `Program.constants` has what the first
    run finds.
    """

    read: int
    write: int


@dataclass(frozen=True)
class Program:
    """A compiled network: everything that a driver needs to run it without the model.

    The words of all steps, in order, form one command stream: BEGIN first, END last. `memory` is
    what the weight memory must hold, from word 0 on, before they run. `inputs` and `outputs` are
    the user's; the tensors of `states` are not among them, unless the user asks for a state.
    """

    config: Config
    name: str
    tensors: tuple[TensorSpec, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    steps: tuple[Step, ...]
    layers: tuple[Layer, ...]
    constants: Mapping[int, NDArray[Any]] = field(default_factory=dict)
    rounding: str = "tflm"
    memory: Words = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    states: tuple[ProgramState, ...] = ()

    def uncounted(self) -> "Program":
        """The same program without its queries: its layers follow one another back to back."""
        return replace(
            self, steps=tuple(step for step in self.steps if not isinstance(step, Query))
        )

    def memory_stream(self) -> Words:
        """The command stream that fills the weight memory.

        It is answered by a counter block, so that the next program counts from 0, and a status.
        """
        begin = np.array(commands.begin(config_hash(self.config)), dtype=np.uint64)
        clusters = self.config.clusters
        contents = np.split(self.memory, clusters.count)
        index = commands.INDEX.pack({"first": 0, "count": len(contents[0])})
        fill = commands.command(commands.Opcode.MEMORY, index, length=len(contents[0]), fence=True)
        filled = [np.concatenate([np.array(fill, dtype=np.uint64), each]) for each in contents]
        asked = np.array(commands.command(commands.Opcode.COUNTERS, fence=True), dtype=np.uint64)
        end = np.array(commands.command(commands.Opcode.END), dtype=np.uint64)
        if clusters.several:
            everyone = Rectangle((0, clusters.y), (0, clusters.x))
            filled = [
                routed(RouteKind.WORDS, Rectangle.single(*divmod(number, clusters.x)), words)
                for number, words in enumerate(filled)
            ]
            asked = routed(RouteKind.ANSWERED, everyone, asked)
            end = routed(RouteKind.LAST, everyone, end)
        return np.concatenate([begin, *filled, asked, end])
