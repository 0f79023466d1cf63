"""The steps of a program as the C runtime takes them, for a link and for a board's memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from hw.arch.accesses import counter_block
from hw.arch.commands import ResultBlock
from hw.arch.config import Config
from hw.arch.images.board_program import DIGEST_WORDS, BoardProgram, ReplayStage
from hw.arch.images.messages import RUN_ACCOUNT, Message, message
from hw.arch.program import Box, Host, Load, Program, Query, Send, Store, Words
from hw.arch.program.layout import (
    box_shape,
    box_words,
    channels_per_word,
    link_words,
    load_words,
    spread_channels,
)
from sw_driver.c.records import StepKind

_RUN_WORDS = 1 + RUN_ACCOUNT.words


@dataclass(frozen=True)
class RuntimeStep:
    """A step of the C runtime; `sw_driver.c.records.C_STEP` has most of its fields.

    Attributes
    ----------
    kind : StepKind
    words : of SEND, RUN and COMPARE
    tensor, walk : of PACK and TAKE; `walk` has the fields of `C_WALK`
    block, count, layer, skip : as of the record
    host : of HOST
    wait : the blocks of all steps before must be there first
    repeated : of END, as of the record
    """

    kind: StepKind
    words: Words = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    tensor: int = -1
    walk: dict[str, int] = field(default_factory=dict)
    block: int = 0
    count: int = 0
    layer: int = -1
    skip: int = 0
    host: Host | None = None
    wait: bool = False
    repeated: bool = False


def memory_steps(program: Program) -> Iterator[RuntimeStep]:
    """Steps that fill the weight memory; none where the program keeps nothing there."""
    if len(program.memory):
        yield RuntimeStep(StepKind.SEND, words=program.memory_stream())
        yield from _counters(program.config, -1)
        yield _end(ResultBlock.STATUS, 1)


def stream_steps(program: Program) -> Iterator[RuntimeStep]:
    """The steps of a run whose command stream crosses the link."""
    for step in program.steps:
        match step:
            case Send():
                yield RuntimeStep(StepKind.SEND, words=step.words)
            case Load():
                yield RuntimeStep(StepKind.SEND, words=step.words)
                yield _pack(program, step)
            case Store():
                yield RuntimeStep(StepKind.SEND, words=step.words)
                yield _take(program, step, ResultBlock.DATA)
            case Query():
                yield RuntimeStep(StepKind.SEND, words=step.words)
                yield from _counters(program.config, step.layer)
            case Host():
                yield _host(step)
    yield _end(ResultBlock.STATUS, 1)


def image_steps(board: BoardProgram) -> Iterator[RuntimeStep]:
    """Steps that write the images of a program, unless the memory has its digest already."""
    writes = [_write(address, words) for address, words in board.writes()]
    ask = message(Message.READ, address=0, words=DIGEST_WORDS)
    yield RuntimeStep(StepKind.SEND, words=np.array(ask, dtype=np.uint64), wait=True)
    yield RuntimeStep(
        StepKind.COMPARE,
        words=board.digest,
        block=ResultBlock.MEMORY,
        count=DIGEST_WORDS,
        skip=1,
    )
    yield RuntimeStep(StepKind.SEND, words=np.concatenate(writes), wait=True)


def replay_steps(board: BoardProgram) -> Iterator[RuntimeStep]:
    """The steps of a run whose command stream lies in the board's memory."""
    for stage in board.stages:
        if isinstance(stage, Host):
            yield _host(stage)
        else:
            yield from _replay(board.program, stage)


def _replay(program: Program, stage: ReplayStage) -> Iterator[RuntimeStep]:
    area = stage.areas[0]
    if stage.inputs:
        head = message(Message.WRITE, address=area, words=stage.input_words)
        # A stage goes on with the program of the one before, which must have ended well.
        yield RuntimeStep(StepKind.SEND, words=np.array(head, dtype=np.uint64), wait=True)
        for part in stage.inputs:
            yield _pack(program, part.step)
    run = message(Message.RUN, address=stage.address, words=len(stage.image), input=area)
    yield RuntimeStep(StepKind.RUN, words=np.array(run, dtype=np.uint64), wait=True)
    for step in stage.answers:
        if isinstance(step, Query):
            yield from _counters(program.config, step.layer)
        else:
            yield _take(program, step, ResultBlock.DATA)
    yield _end(ResultBlock.RUN, _RUN_WORDS)
    for block in stage.kept:
        yield _tell(message(Message.READ, address=block.address, words=block.words))
        yield _take(program, block.step, ResultBlock.MEMORY)
    if stage.kept and program.config.memory.kind == "axi":
        # A MEMORY block cannot say that its words were read with an error.
        yield RuntimeStep(StepKind.AGAIN)
        yield _end(ResultBlock.RUN, _RUN_WORDS, repeated=True)


# ---- parts --------------------------------------------------------------------------------------


def _tell(words: Sequence[int]) -> RuntimeStep:
    return RuntimeStep(StepKind.SEND, words=np.array(words, dtype=np.uint64))


def _write(address: int, words: Words) -> Words:
    head = message(Message.WRITE, address=address, words=len(words))
    return np.concatenate([np.array(head, dtype=np.uint64), words])


def _end(block: ResultBlock, count: int, *, repeated: bool = False) -> RuntimeStep:
    return RuntimeStep(StepKind.END, block=block, count=count, repeated=repeated)


def _host(step: Host) -> RuntimeStep:
    return RuntimeStep(StepKind.HOST, host=step, wait=True)


def _counters(config: Config, layer: int) -> Iterator[RuntimeStep]:
    """The counter blocks of a query, one of each cluster."""
    count = counter_block(config).words
    for _ in range(config.clusters.count):
        yield RuntimeStep(StepKind.COUNT, block=ResultBlock.COUNTERS, count=count, layer=layer)


def _pack(program: Program, step: Load) -> RuntimeStep:
    """The payload of a LOAD, as `hw.arch.program.layout.pack_load` has it."""
    config, raw = program.config, program.tensors[step.tensor].raw
    spread = spread_channels(config, step.box, raw=raw)
    lanes = spread or channels_per_word(config, raw=raw)
    return RuntimeStep(
        StepKind.PACK,
        tensor=step.tensor,
        walk=_walk(program.tensors[step.tensor].view, step.box, lanes),
        count=load_words(config, step.box, raw=raw),
    )


def _take(program: Program, step: Store, block: ResultBlock) -> RuntimeStep:
    """The block of a STORE, as `hw.arch.program.layout.store_box` takes it."""
    config = program.config
    return RuntimeStep(
        StepKind.TAKE,
        tensor=step.tensor,
        walk=_walk(
            program.tensors[step.tensor].view, step.box, channels_per_word(config, raw=step.raw)
        ),
        block=block,
        count=link_words(config, box_words(config, step.box, raw=step.raw)),
    )


def _walk(view: Sequence[int], box: Box, lanes: int) -> dict[str, int]:
    _, height, width, depth = view
    items, rows, columns, channels = box_shape(box)
    column_stride, row_stride, item_stride = depth, width * depth, height * width * depth
    return {
        "offset": box.items[0] * item_stride
        + box.rows[0] * row_stride
        + box.columns[0] * column_stride
        + box.channels[0],
        "items": items,
        "rows": rows,
        "columns": columns,
        "channels": channels,
        "lanes": lanes,
        "item_stride": item_stride,
        "row_stride": row_stride,
        "column_stride": column_stride,
    }
