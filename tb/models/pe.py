"""A PE without time: what it makes of a pass, and random passes that fit its scratchpads."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from hw.arch.config import Config
from hw.pe.pe import PE_ACCESSES

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class PePass:
    """One pass of a PE.

    `fields`: flags of `PassConfig`, and of `CONSTANTS` what a PE must know; `ifmap`: operands in
    order, pixel by pixel; `weights`: shape (taps, steps, K); `psums`: shape (words, K), what comes
    from below or from the column.
    """

    fields: dict[str, int]
    ifmap: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    weights: Ints = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    psums: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))

    @property
    def steps(self) -> int:
        """Multiply steps of the pass."""
        f = self.fields
        return f["windows"] * f["taps"] * f["steps"] if f["active"] else 0


def pass_config(config: Config, fields: dict[str, int]) -> dict[str, int]:
    """`PassConfig` of a pass, by the kind of PE."""
    f = fields
    span = f["channels"] if f["diagonal"] else 1
    flags = {name: f[name] for name in ("active", "head", "zero", "tail", "windows")}
    flags["release"] = 1
    shift = {"window_shift": f["window_shift"]} if "window_shift" in f else {}
    if skips(config):
        kind = {"steps": f["steps"], "diagonal": f["diagonal"], "last_word": f["taps"] - 1}
    else:
        kind = {}
    return {
        **flags,
        **shift,
        **kind,
        "last_free": f["advance"] - 1,
        "step_end": f["steps"] - 2,
        "slot_end": f["steps"] * span - 2,
        "last_tap": f["taps"] - span - 1,
        "single": int(f["windows"] == 1),
    }


def skips(config: Config) -> bool:
    """Whether zeros take no steps."""
    return config.pe.kind == "skipping"


def wrapped(values: Ints, width: int) -> Ints:
    """Signed values modulo 2^width."""
    half = 1 << (width - 1)
    result: Ints = (values + half) % (2 * half) - half
    return result


def run_pass(config: Config, item: PePass) -> list[dict[str, object]]:
    """The chain words of a pass, in order: `psums` and `tail`.

    A window's sums are sum over taps of operand · weight; `diagonal` keeps the channels of a pixel
    apart. 16-bit products are shifted first, and everything is modulo 2^psum_width.
    """
    f = item.fields
    if not f["active"]:
        return []
    taps, steps, channels = f["taps"], f["steps"], f["channels"]
    K = config.pe.macs
    shift = f.get("window_shift", 0)
    words = []
    for window in range(f["windows"]):
        operands = item.ifmap[window * f["advance"] :][:taps]
        products = (operands[:, None, None] * item.weights) >> shift
        if f["diagonal"]:
            sums = products.reshape(-1, channels, steps, K).sum(axis=0).reshape(-1, K)
        else:
            sums = products.sum(axis=0)
        words.append(sums)
    total = np.concatenate(words)
    if not (f["head"] and f["zero"]):
        total = total + item.psums
    total = wrapped(total, config.array.psum_width)
    return [{"psums": row, "tail": f["tail"]} for row in total.tolist()]


def pass_windows(item: PePass) -> list[Ints]:
    """The operands of every window; none if the PE is not active."""
    f = item.fields
    if not f["active"]:
        return []
    return [item.ifmap[w * f["advance"] :][: f["taps"]] for w in range(f["windows"])]


def fired_steps(config: Config, item: PePass) -> int:
    """Multiply steps that are computed: those of activations that do not stand for zero."""
    if not config.pe.zero_gating:
        return item.steps
    return sum(int((window != 0).sum()) for window in pass_windows(item)) * item.fields["steps"]


def gated_steps(config: Config, item: PePass) -> tuple[int, int]:
    """Steps that stand for a zero, at least and at most.

    A dense PE has one for every zero. One that skips zeros has those of depthwise passes; of
    others those of windows of nothing else, and of windows that end with a zero where that comes
    when the word before is under way.
    """
    f = item.fields
    if not skips(config) or f["diagonal"]:
        left = item.steps - fired_steps(config, item)
        return left, left
    windows = pass_windows(item)
    empty = sum(not window.any() for window in windows)
    open_ = sum(int(window[-1] == 0) for window in windows)
    return empty * f["steps"], open_ * f["steps"]


def pass_accesses(config: Config, item: PePass) -> dict[str, int]:
    """What a pass counts as `PE_ACCESSES`: step by step, in the order in which a PE goes.

    The psum scratchpad's, of a PE that skips zeros, are those of no round that only sends.
    """
    counts = dict.fromkeys(PE_ACCESSES, 0)
    f = item.fields
    if not f["active"]:
        return counts
    span = f["channels"] if f["diagonal"] else 1
    dense = not skips(config)
    for window in pass_windows(item):
        row_read = -1
        for tap, operand in enumerate(window.tolist()):
            works = bool(operand) or not config.pe.zero_gating
            first, last = tap < span, tap >= f["taps"] - span
            for step in range(f["steps"]):
                row = (tap * f["steps"] + step) * config.pe.macs // config.noc.filter
                counts["filter_spad_reads"] += works and row != row_read
                row_read = row if works else row_read
                if dense or f["diagonal"]:
                    counts["psum_spad_reads"] += not first and (last or works)
                    counts["psum_spad_writes"] += not last and (first or works)
            row_read = row_read if dense else -1
        if dense:
            counts["ifmap_spad_reads"] += f["taps"]
            continue
        words = int(np.count_nonzero(window))
        counts["ifmap_spad_reads"] += words
        if not f["diagonal"]:
            counts["psum_spad_reads"] += (max(words, 1) - 1) * f["steps"]
            counts["psum_spad_writes"] += (max(words, 1) - 1) * f["steps"]
    counts["ifmap_spad_writes"] = len(item.ifmap) if dense else int(np.count_nonzero(item.ifmap))
    counts["filter_spad_writes"] = len(filter_beats(config, item))
    sent = len(run_pass(config, item))
    counts["psum_hops"] = sent if not f["head"] else 0
    counts["psums_fed"] = sent if f["head"] and not f["zero"] else 0
    counts["psums_collected"] = sent if f["tail"] else 0
    return counts


def without_zeros(item: PePass) -> PePass:
    """The same pass with 1 in the place of every zero."""
    return replace(item, ifmap=np.where(item.ifmap == 0, 1, item.ifmap))


def operands(config: Config, rng: np.random.Generator, shape: tuple[int, ...]) -> Ints:
    """Activations less their zero point: -255 … 255 for 8-bit data; many extremes."""
    limit = 255 if config.array.data_width == 8 else 1 << 15
    low, high = -limit, limit if config.array.data_width == 8 else limit - 1
    return _spread(rng, shape, low, high)


def stored_weights(config: Config, rng: np.random.Generator, shape: tuple[int, ...]) -> Ints:
    """Weights as the scratchpad holds them, with many extremes."""
    half = 1 << (config.weight_width - 1)
    low = -half if config.weight_width != 9 else -255
    return _spread(rng, shape, low, half - 1)


def _spread(rng: np.random.Generator, shape: tuple[int, ...], low: int, high: int) -> Ints:
    values = rng.integers(low, high + 1, shape)
    extremes = rng.choice([0, 0, 0, -1, 1, low, high], shape)
    result: Ints = np.where(rng.random(shape) < 0.5, extremes, values)
    return result


def random_pass(config: Config, random: Random, *, active: bool = True, windows: int = 0) -> PePass:
    """A pass that fits the scratchpads, of so many windows (0: a few)."""
    while True:
        item = _draw(config, random, active, windows or random.choice((1, 2, 3, 5)))
        if item is not None:
            return item


def single_window(config: Config, random: Random, taps: int, places: Iterable[int]) -> PePass:
    """A window of so many words; those at `places` are not zero. Nothing is needed besides."""
    while True:
        item = random_pass(config, random, windows=1)
        f = item.fields
        if f["diagonal"] or f["steps"] * config.pe.macs * taps > config.filter_half:
            continue
        f |= {"head": 1, "zero": 1, "taps": taps, "advance": taps, "channels": 1}
        ifmap = np.zeros(taps, np.int64)
        ifmap[list(places)] = random.choice((-1, 1, 100))
        rng = np.random.default_rng(random.getrandbits(32))
        weights = stored_weights(config, rng, (taps, f["steps"], config.pe.macs))
        return replace(item, ifmap=ifmap, weights=weights)


def _draw(config: Config, random: Random, active: bool, windows: int) -> PePass | None:
    K = config.pe.macs
    words = config.filter_half // K
    taps = random.randint(1, config.pe.ifmap_spad)
    channels = random.choice([q for q in range(1, taps + 1) if taps % q == 0])
    S = taps // channels
    diagonal = random.random() < 0.3
    slots = config.pe.psum_spad // K
    most = min(slots // channels if diagonal else slots, words // taps)
    if most < 1:
        return None
    steps = most if random.random() < 0.3 else random.randint(1, most)
    advance = channels * min(random.randint(1, S + 1), S)
    fields = {
        "active": int(active),
        "head": random.randint(0, 1),
        "zero": random.randint(0, 1),
        "tail": random.randint(0, 1),
        "steps": steps,
        "taps": taps,
        "advance": advance,
        "channels": channels,
        "windows": windows,
        "diagonal": int(diagonal),
    }
    if config.array.data_width == 16:
        fields["window_shift"] = random.randint(0, 16)
    rng = np.random.default_rng(random.getrandbits(32))
    out_words = windows * steps * (channels if diagonal else 1)
    half = 1 << (config.array.psum_width - 1)
    return PePass(
        fields=fields,
        ifmap=operands(config, rng, ((windows - 1) * advance + taps,)),
        weights=stored_weights(config, rng, (taps, steps, K)),
        psums=rng.integers(-half, half, (out_words, K)),
    )


def ifmap_beats(config: Config, item: PePass) -> list[dict[str, object]]:
    """The ifmap as network beats: pixels in pieces of `noc.ifmap` words."""
    if not item.fields["active"]:
        return []
    beats: list[dict[str, object]] = []
    for pixel in item.ifmap.reshape(-1, item.fields["channels"]).tolist():
        for start in range(0, len(pixel), config.noc.ifmap):
            words = pixel[start : start + config.noc.ifmap]
            beats.append({"words": words, "more": len(words) - 1})
    return beats


def filter_beats(config: Config, item: PePass) -> list[dict[str, object]]:
    """The weights as network beats, tap-major, the last one marked."""
    if not item.fields["active"]:
        return []
    flat = item.weights.reshape(-1).tolist()
    width = config.noc.filter
    beats: list[dict[str, object]] = [
        {"words": flat[i : i + width], "last": 0} for i in range(0, len(flat), width)
    ]
    beats[-1]["last"] = 1
    return beats
