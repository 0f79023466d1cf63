"""What a case exercised: operators, attributes, modes, and every field of its configuration."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np

from compiler.ir.graph import Graph
from compiler.ir.ops import Add, Concat, Conv, Mul, Node, Pad, Pool, PoolKind, Rescale, Reshape
from compiler.ir.overflow import bits_needed
from hw.arch.commands import REGION
from hw.arch.program import Load, Program, Query, Step, Store
from numerics.quantisation import INTEGER_RANGES, Requant, RoundingRule, WindowStage, multipliers
from tests.campaigns.fuzz.cases import Case
from tests.campaigns.fuzz.configs import DECKS, KINDS
from tests.campaigns.fuzz.sparsity import DENSITIES, SHAPES, WEIGHT_DENSITIES
from tests.campaigns.fuzz.values import FIELD

Feature: TypeAlias = tuple[str, str]  # group, item

TARGET = 5

# What a campaign must show; configuration values come from the decks.
ITEMS: dict[str, tuple[str, ...]] = {
    "operator": (
        "conv 1-D", "conv 2-D", "conv 1x1", "depthwise", "depthwise multiplier", "grouped",
        "fully connected", "fully connected rows", "max pool", "average pool",
        "average pool counting padding", "global max pool", "global average pool", "add", "mul",
        "quantize", "relu/clip", "concat by addressing", "concat on the host",
        "pad by addressing", "pad on the host", "reshape",
    ),
    "geometry": (
        "stride y > 1", "stride x > 1", "stride > window", "dilation y", "dilation x", "padding",
        "uneven padding", "batch > 1", "odd sizes", "channel remainder", "filter remainder",
        "even channels",
    ),
    "rounding": ("tflm", "ort", "ort with an offset", "single", "reduced", "raw", "16-bit window"),
    "arithmetic": (
        "int8", "uint8", "int16", "int8 weights", "uint8 weights", "weight zero point",
        "weight zero point a filter", "input zero point lowest", "input zero point highest",
        "output zero point lowest", "output zero point highest", "bias 2^30", "bias -2^30",
        "multiplier flushes to 0", "left shift", "right shift", "scale a filter",
        "scale for all", "offset a filter", "offset for all", "clamp none", "clamp low",
        "clamp high", "clamp one value", "wrapping psums", "proved psums", "window 0",
        "window 1-15", "window 16", "shift 0", "shift 31", "bias beyond 32 bits",
        "psums beyond 32 bits", "16-bit tflm", "16-bit ort", "16-bit single",
        "16-bit in fixed point", "16-bit zero point in the command",
        "16-bit zero point in the bias", "16-bit input zero point",
        "16-bit input zero point in padding",
    ),
    "program": (
        "one layer", "several layers", "residual", "several outputs", "tiles through the host",
        "channels in chunks", "two buffers of an operand", "two buffers of the output",
        "dump", "no dump", "profile", "objective cycles", "objective traffic", "objective energy",
        "objective edp",
        "random stalls", "no stalls", "run twice",
    ),
    "inputs": (
        *(f"density {density:g}" for density in DENSITIES),
        *(f"zeros {shape}" for shape in SHAPES),
        *(f"weights {density:g}" for density in WEIGHT_DENSITIES),
    ),
}  # fmt: skip


def features(case: Case, program: Program) -> list[Feature]:
    """All that a case exercised, without repetition."""
    found = {
        *((f"config {name}", str(value)) for name, value in case.config.values().items()),
        *(("program", item) for item in _program(case, program)),
        ("inputs", f"density {case.density:g}"),
        *([("inputs", f"zeros {case.zeros}")] if case.density < 1 else []),
        *([("inputs", f"weights {case.weights:g}")] if case.weights is not None else []),
        *(pair for node in case.graph.nodes for pair in _node(case, program, node)),
    }
    return sorted(found)


def wanted() -> dict[str, tuple[str, ...]]:
    """What a campaign must show, by group: `ITEMS`, and the kinds of hardware."""
    groups = dict(ITEMS)
    for name in DECKS:
        values = sorted({str(v) for v in DECKS[name]}, key=_order)
        groups[f"config {name}"] = tuple(values) if name in KINDS else ()
    return groups


def missing(counts: Counter[Feature], executed: int) -> list[Feature]:
    """What came up too seldom."""
    target = min(TARGET, executed)
    return [
        (group, item)
        for group, items in wanted().items()
        for item in items
        if counts[group, item] < target
    ]


def table(counts: Counter[Feature]) -> list[str]:
    """How often each item came up; configuration values that nobody demands are listed too."""
    lines = []
    for group, items in wanted().items():
        seen = {item for kind, item in counts if kind == group}
        extra = sorted(seen - set(items), key=_order)
        lines += [f"{group}:", *_wrapped(f"{i} {counts[group, i]}" for i in [*items, *extra])]
    return lines


def _order(item: str) -> tuple[int, str]:
    return (int(item), "") if item.isdigit() else (-1, item)


def _wrapped(cells: Iterable[str], width: int = 96) -> Iterator[str]:
    line = "   "
    for cell in cells:
        if len(line) + len(cell) > width:
            yield line.rstrip(",")
            line = "   "
        line += f" {cell},"
    yield line.rstrip(",")


# ---- the program ------------------------------------------------------------------------------


def _program(case: Case, program: Program) -> Iterator[str]:
    yield "one layer" if len(case.graph.nodes) == 1 else "several layers"
    if any(len(case.graph.consumers(key)) > 1 for key in case.graph.tensors):
        yield "residual"
    if len(case.graph.outputs) > 1:
        yield "several outputs"
    if any("tiles" in layer.reason for layer in program.layers):
        yield "tiles through the host"
    if any(p["shape"]["partial"] for x in program.layers for p in x.mapping.get("parts", ())):
        yield "channels in chunks"
    for kind, item in ((Load, "an operand"), (Store, "the output")):
        if _two_buffers(program, kind):
            yield f"two buffers of {item}"
    yield "dump" if case.options["dump"] else "no dump"
    if case.options["profile"]:
        yield "profile"
    yield f"objective {case.options['objective']}"
    yield "no stalls" if case.stall_seed is None else "random stalls"
    if len(case.inputs) > 1:
        yield "run twice"


def _two_buffers(program: Program, kind: type[Load | Store]) -> bool:
    """A layer moves parts of a tensor from or to different places: not all begin at one address."""
    begins: dict[tuple[int, int], set[int]] = {}
    before: Step | None = None
    for step in program.steps:
        if isinstance(step, Query):
            continue
        if isinstance(step, kind):
            moved = (step.layer, step.tensor)
            follows = isinstance(before, kind) and (before.layer, before.tensor) == moved
            if not follows:
                address = REGION.unpack(step.words[1:].tolist())["address"]
                begins.setdefault(moved, set()).add(address)
        before = step
    return any(len(addresses) > 1 for addresses in begins.values())


# ---- nodes ------------------------------------------------------------------------------------


def _node(case: Case, program: Program, node: Node) -> Iterator[Feature]:
    layer = next(layer for layer in program.layers if layer.name == node.name)
    for item in _operator(case.graph, node, layer.where):
        yield "operator", item
    source = case.graph.tensors[node.inputs[0]].dtype
    yield "arithmetic", source
    if isinstance(node, Conv | Pool):
        for item in _geometry(node):
            yield "geometry", item
    if isinstance(node, Conv):
        for item in _conv_arithmetic(case, node, source):
            yield "arithmetic", item
    stage = getattr(node, "stage", None)
    if isinstance(stage, Requant):
        yield "rounding", "ort with an offset" if stage.affine else stage.rounding.value
        if stage.fixed:
            yield "arithmetic", "16-bit in fixed point"
            if stage.zero_point:
                held = "command" if -FIELD <= stage.zero_point < FIELD else "bias"
                yield "arithmetic", f"16-bit zero point in the {held}"
        elif stage.dtype == "int16" and not stage.wide:
            yield "arithmetic", f"16-bit {stage.rounding.value}"
        for item in _stage(stage):
            yield "arithmetic", item
    if isinstance(stage, WindowStage):
        yield "rounding", "16-bit window"
        for item in _window(stage):
            yield "arithmetic", item


def _operator(graph: Graph, node: Node, where: str) -> Iterator[str]:
    match node:
        case Conv():
            yield from _conv_kinds(graph, node)
        case Pool():
            kind = "max" if node.kind is PoolKind.MAX else "average"
            counting = " counting padding" if node.count_include_pad else ""
            yield f"{kind} pool{counting}"
            if node.window == node.image[:2]:
                yield f"global {kind} pool"
        case Add():
            yield "add"
        case Mul():
            yield "mul"
        case Rescale():
            yield "relu/clip" if node.op == "RELU" else "quantize"
        case Concat():
            yield "concat by addressing" if where == "array" else "concat on the host"
        case Pad():
            yield "pad by addressing" if where == "array" else "pad on the host"
        case Reshape():
            yield "reshape"


def _conv_kinds(graph: Graph, node: Conv) -> Iterator[str]:
    M, R, S, C = node.weights.shape
    shape = graph.tensors[node.inputs[0]].shape
    if len(graph.tensors[node.output].shape) == 2:
        yield "fully connected rows" if shape[0] > 1 and len(shape) == 2 else "fully connected"
    elif (R, S) == (1, 1):
        yield "conv 1x1"
    elif 1 in (R, S) and 1 in node.image[:2]:
        yield "conv 1-D"
    else:
        yield "conv 2-D"
    if node.groups > 1:
        yield "grouped" if C > 1 else "depthwise"
        if C == 1 and node.groups < M:
            yield "depthwise multiplier"


def _geometry(node: Conv | Pool) -> Iterator[str]:
    window = node.weights.shape[1:3] if isinstance(node, Conv) else node.window
    yield from (f"stride {axis} > 1" for axis, n in zip("yx", node.stride, strict=True) if n > 1)
    if any(stride > taps for stride, taps in zip(node.stride, window, strict=True)):
        yield "stride > window"
    yield from (f"dilation {axis}" for axis, n in zip("yx", node.dilation, strict=True) if n > 1)
    if any(node.pad):
        yield "padding"
    if node.pad[0] != node.pad[2] or node.pad[1] != node.pad[3]:
        yield "uneven padding"
    if node.batch > 1:
        yield "batch > 1"
    if node.image[0] % 2 and node.image[1] % 2:
        yield "odd sizes"
    yield "channel remainder" if node.image[2] % 8 else "even channels"
    if isinstance(node, Conv) and len(node.weights) % 8:
        yield "filter remainder"


def _conv_arithmetic(case: Case, node: Conv, source: str) -> Iterator[str]:
    low, high = INTEGER_RANGES[source]
    if case.config.array.data_width == 8:
        yield f"{node.weights.dtype} weights"
        if node.input_zero_point in (low, high):
            yield f"input zero point {'lowest' if node.input_zero_point == low else 'highest'}"
    elif node.input_zero_point:
        yield "16-bit input zero point"
        if isinstance(case.graph.producer(node.inputs[0]), Pad):
            yield "16-bit input zero point in padding"
    zeros = node.weight_zero_point
    if np.any(zeros != (128 if node.weights.dtype == np.uint8 else 0)):
        yield "weight zero point" if zeros.size == 1 else "weight zero point a filter"
    if node.bias.max() == 1 << 30:
        yield "bias 2^30"
    if node.bias.min() == -(1 << 30):
        yield "bias -2^30"
    if np.abs(node.bias).max() > 1 << 31:
        yield "bias beyond 32 bits"
    if isinstance(node.stage, Requant) and node.stage.wide and bits_needed(node, source) > 32:
        yield "psums beyond 32 bits"
    yield "wrapping psums" if case.wrap else "proved psums"


def _stage(stage: Requant) -> Iterator[str]:
    if stage.rounding is RoundingRule.RAW:
        return
    low, high = INTEGER_RANGES[stage.dtype]
    if stage.zero_point in (low, high):
        yield f"output zero point {'lowest' if stage.zero_point == low else 'highest'}"
    pair = multipliers(stage, stage.scale.size)
    if np.any(pair.multiplier == 0):
        yield "multiplier flushes to 0"
    if np.any(pair.shift > 0):
        yield "left shift"
    if np.any(pair.shift < 0):
        yield "right shift"
    yield "scale for all" if stage.scale.size == 1 else "scale a filter"
    if stage.affine:
        yield "offset for all" if stage.offset.size == 1 else "offset a filter"
    yield from _clamp(stage.low, stage.high, low, high)


def _window(stage: WindowStage) -> Iterator[str]:
    yield f"window {stage.window if stage.window in (0, 16) else '1-15'}"
    if stage.shift in (0, 31):
        yield f"shift {stage.shift}"
    yield from _clamp(stage.low, stage.high, *INTEGER_RANGES["int16"])


def _clamp(low: int, high: int, least: int, most: int) -> Iterator[str]:
    if (low, high) == (least, most):
        yield "clamp none"
    if low > least:
        yield "clamp low"
    if high < most:
        yield "clamp high"
    if low == high:
        yield "clamp one value"
