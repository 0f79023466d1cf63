"""Confirms that a refusal is unavoidable, by arithmetic of its own on the layer and the limits."""

import re
from collections.abc import Callable
from fractions import Fraction
from math import ceil, lcm

import numpy as np

from compiler.ir.ops import Concat, Conv, Node, Pad, Pool, PoolKind
from hw.arch.config import Config
from numerics.quantisation import INTEGER_RANGES, Requant, RoundingRule, WindowStage
from tests.campaigns.fuzz.cases import Case

Check = Callable[[Case, Node, re.Match[str]], bool]


def confirmed(case: Case, message: str) -> bool:
    """Whether the refusal's sentence, or each of several, is of a known kind, and true."""
    heading, *groups = message.split("\n")
    if not groups:
        name, _, sentence = heading.partition(": ")
        return _true(case, name, sentence)
    return all(_group_confirmed(case, group) for group in groups)


def _group_confirmed(case: Case, line: str) -> bool:
    """A line for several layers gives one sentence for all, or that of a layer which it names."""
    found = re.match(r"  \d+ x \S+ \(layers? ([^)]*)\): (?:for layer (\w+), )?(.*)", line)
    if found is None:
        return False
    named, one, sentence = found.groups()
    names = [one] if one else re.split(r", | and \d+ more", named)
    return all(_true(case, name, sentence) for name in names if name)


def _true(case: Case, name: str, sentence: str) -> bool:
    nodes = [node for node in case.graph.nodes if node.name == name]
    if not nodes:
        return False
    for pattern, check in _CHECKS.items():
        if match := re.match(pattern, sentence):
            return check(case, nodes[0], match)
    return False


# ---- psum width -------------------------------------------------------------------------------


def _overflow(case: Case, node: Node, match: re.Match[str]) -> bool:
    """The extreme sums, each product at its worst input, need exactly the bits that were named."""
    assert isinstance(node, Conv)
    low, high = INTEGER_RANGES[case.graph.tensors[node.inputs[0]].dtype]
    window = node.stage.window if isinstance(node.stage, WindowStage) else 0
    ends = [low - node.input_zero_point, high - node.input_zero_point, 0]
    zeros = np.broadcast_to(node.weight_zero_point, len(node.weights))
    bits = 1
    for weights, zero in zip(node.weights, zeros, strict=True):
        least = most = 0
        for weight in weights.reshape(-1).tolist():
            products = [(end * (weight - int(zero))) >> window for end in ends]
            least, most = least + min(products), most + max(products)
        bits = max(bits, (-least - 1).bit_length() + 1 if least else 1, most.bit_length() + 1)
    return bits == int(match[1]) and bits > case.config.array.psum_width


# ---- maps -------------------------------------------------------------------------------------


def _map_bits(case: Case, node: Node, match: re.Match[str]) -> bool:
    """One window needs the bits that were named, a sign included, and there are fewer."""
    if isinstance(node, Conv):
        taps = zip(node.weights.shape[1:3], node.dilation, strict=True)
        side = max((n - 1) * step + 1 for n, step in taps)
    else:
        side = max(node.window) if isinstance(node, Pool) else 1
    return (
        side >= 1 << (case.config.control.map_bits - 1) and int(match[1]) == side.bit_length() + 1
    )


# ---- scratchpads ------------------------------------------------------------------------------


def _nest(config: Config, node: Node) -> tuple[int, int]:
    """(channels, filters) of the smallest nest whose groups begin at whole beats."""
    assert isinstance(node, Conv)
    M, _, _, C = node.weights.shape
    for count in range(1, node.groups + 1):
        inputs, outputs = count * C, count * M // node.groups
        aligned = inputs % config.noc.ifmap == 0 and outputs % config.post.units == 0
        if node.groups % count == 0 and (aligned or count == node.groups):
            return inputs, outputs
    raise AssertionError("all groups together always are one nest")


def _least_window(config: Config, node: Node) -> tuple[int, int]:
    """(channels, filters) that a PE must hold at least: beats cannot be cut."""
    channels, filters = _nest(config, node)
    return min(channels, config.noc.ifmap), min(filters, config.post.units)


def _ifmap_spad(case: Case, node: Node, match: re.Match[str]) -> bool:
    channels, _ = _least_window(case.config, node)
    return case.config.pe.ifmap_spad < channels == int(match[1])


def _psum_spad(case: Case, node: Node, match: re.Match[str]) -> bool:
    _, filters = _least_window(case.config, node)
    return case.config.pe.psum_spad < filters == int(match[1])


def _filter_spad(case: Case, node: Node, match: re.Match[str]) -> bool:
    config = case.config
    channels, filters = _least_window(config, node)
    words = channels * ceil(filters / config.pe.macs) * config.pe.macs
    half = config.pe.filter_spad // 2 // config.noc.filter * config.noc.filter
    beats = ceil(words / config.noc.filter) * config.noc.filter
    return half < words and int(match[1]) == 2 * beats


# ---- the buffer -------------------------------------------------------------------------------


def _buffer(case: Case, node: Node, match: re.Match[str]) -> bool:
    """One output pixel of the fewest channels does not fit beside the psums that it needs."""
    words = _pixel_words(case, node)
    config = case.config
    slots = min(config.psum_beat, config.buffer.width // config.array.psum_width)
    pair = 2 * ceil(config.psum_beat / slots)
    banks = config.buffer.banks - (pair if _psums_wait(config, node) else 0)
    return words > min(banks, config.act_banks) * config.buffer.depth


def _psums_wait(config: Config, node: Node) -> bool:
    """Whether a window takes more than one pass, even with as much as possible in each PE."""
    if not isinstance(node, Conv):
        return False
    M, R, S, C = node.weights.shape
    if C == 1 and node.groups > 1:
        channels = 1
    else:
        channels, _ = _nest(config, node)
    filters = _least_window(config, node)[1]
    K = config.pe.macs
    most = min(config.pe.ifmap_spad, config.filter_half // (ceil(filters / K) * K))
    best = min(
        R * ceil(S / span) * ceil(channels / max(most // span, 1))
        for span in range(1, (S if node.dilation[1] == 1 else 1) + 1)
        if span <= most
    )
    return best > config.array.rows


def _pixel_words(case: Case, node: Node) -> int:
    """Buffer words of one output pixel of as few channels as can be stored apart."""
    config, lanes = case.config, case.config.lanes
    tensors = case.graph.tensors
    if isinstance(node, Conv):
        M, R, S, C = node.weights.shape
        raw = isinstance(node.stage, Requant) and node.stage.rounding is RoundingRule.RAW
        rows = min((R - 1) * node.dilation[0] + 1, node.image[0])
        columns = min((S - 1) * node.dilation[1] + 1, node.image[1])
        inputs, outputs = node.image[2], min(lanes, M)
        if node.groups > 1:
            inputs, outputs = _grouped_step(config, node)
        per_word = max(lanes // (32 // config.array.data_width), 1) if raw else lanes
        return rows * columns * ceil(inputs / lanes) + ceil(outputs / per_word)
    if isinstance(node, Pool):
        return min(node.window[0], node.image[0]) * min(node.window[1], node.image[1]) + 1
    if isinstance(node, Concat | Pad):
        return len(node.inputs) * ceil(tensors[node.output].shape[-1] / lanes) + 1
    return len(node.inputs) + 1


def _grouped_step(config: Config, node: Conv) -> tuple[int, int]:
    """(input, output) channels of the fewest groups that are whole buffer words on both sides."""
    M, _, _, C = node.weights.shape
    each = M // node.groups
    groups = lcm(*(config.lanes // np.gcd(config.lanes, size) for size in (C, each)))
    groups = min(int(groups), node.groups)
    return groups * C, groups * each


# ---- the post-processor -----------------------------------------------------------------------


def _post_channels(case: Case, node: Node, match: re.Match[str]) -> bool:
    """The parameter memory is smaller than the fewest channels, or window counts, of a command."""
    config = case.config
    if isinstance(node, Pool):
        need = node.window[0] * node.window[1] * config.post.units
        differ = any(node.pad) and not node.count_include_pad
        return node.kind is PoolKind.AVERAGE and differ and need > config.post.channels
    assert isinstance(node, Conv)
    M = node.weights.shape[0]
    need = min(config.lanes, M)
    if node.groups > 1:
        need = min(_grouped_step(config, node)[1], M)
    return need > config.post.channels


def _single_scale(case: Case, node: Node, match: re.Match[str]) -> bool:
    """Rounding "single" shifts right by at least one place."""
    stage = getattr(node, "stage", None)
    if not isinstance(stage, Requant) or stage.rounding is not RoundingRule.SINGLE:
        return False
    return float(stage.scale.max()) >= 2.0**30 * (1 - 2.0**-31)


def _least_scale(case: Case, node: Node, match: re.Match[str]) -> bool:
    """A zero point beyond its field, of an output of which a step is more than 2^16 units."""
    stage = getattr(node, "stage", None)
    if not isinstance(stage, Requant) or not stage.fixed or stage.zero_point != int(match[1]):
        return False
    fits_field = -512 <= stage.zero_point <= 511
    return not fits_field and float(stage.scale.min()) < 2.0**-16 * (1 - 2.0**-32)


def _zero_point_room(case: Case, node: Node, match: re.Match[str]) -> bool:
    """The sum of the worst inputs, with the bias and with the zero point too, leaves 32 bits."""
    stage = getattr(node, "stage", None)
    if not isinstance(node, Conv) or not isinstance(stage, Requant) or not stage.fixed:
        return False
    zero = stage.zero_point
    if zero != int(match[1]) or -512 <= zero <= 511:
        return False
    low, high = INTEGER_RANGES[case.graph.tensors[node.inputs[0]].dtype]
    ends = [low - node.input_zero_point, high - node.input_zero_point, 0]
    zeros = np.broadcast_to(node.weight_zero_point, len(node.weights))
    scales = np.broadcast_to(stage.scale, len(node.weights))
    for filter_, zero_weight, added, scale in zip(
        node.weights, zeros, node.bias, scales, strict=True
    ):
        centred = [weight - int(zero_weight) for weight in filter_.reshape(-1).tolist()]
        least = int(added) + sum(min(weight * end for end in ends) for weight in centred)
        most = int(added) + sum(max(weight * end for end in ends) for weight in centred)
        units = Fraction(zero - zero % 2) / Fraction(float(scale))
        # The multiplier has 31 bits of the scale, so that the units differ from these by little.
        room = abs(units) * (1 + Fraction(1, 1 << 30)) + 1
        if most + (room if zero > 0 else 0) >= 1 << 31 or least - (room if zero < 0 else 0) < -(
            1 << 31
        ):
            return True
    return False


# ---- weights ----------------------------------------------------------------------------------


def _centred(node: Node) -> tuple[int, int]:
    assert isinstance(node, Conv)
    centred = node.weights.astype(np.int64) - node.weight_zero_point.reshape(-1, 1, 1, 1)
    return min(int(centred.min()), 0), max(int(centred.max()), 0)


def _zero_points(case: Case, node: Node, match: re.Match[str]) -> bool:
    low, high = _centred(node)
    return not case.config.pe.weight_zero_points and (low < -128 or high > 127)


def _span(case: Case, node: Node, match: re.Match[str]) -> bool:
    low, high = _centred(node)
    return high - low > 255


_CHECKS: dict[str, Check] = {
    r"array.psum_width must be at least (\d+) ": _overflow,
    r"control.map_bits must be at least (\d+) ": _map_bits,
    r"pe.ifmap_spad must be at least (\d+) ": _ifmap_spad,
    r"pe.psum_spad must be at least (\d+) ": _psum_spad,
    r"pe.filter_spad must be at least (\d+) ": _filter_spad,
    r"buffer\.(banks|depth) must be at least": _buffer,
    r"psums of a window must fit the buffer": _buffer,
    r"post.channels must be at least": _post_channels,
    r"output scales must be below 2\^30": _single_scale,
    r"output scales must be at least 2\^-16 beside a zero point of (-?\d+)": _least_scale,
    r"its sums must fit 32 bits together with its output's zero point of (-?\d+)": _zero_point_room,
    r"pe.weight_zero_points must be true": _zero_points,
    r"weights less their zero points must span": _span,
}
