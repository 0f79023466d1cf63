"""The ends of a column without time: beats to words, and words to beats."""

from dataclasses import dataclass
from random import Random
from typing import Any

from hw.arch.config import Config


def random_psum(config: Config, random: Random) -> int:
    """Any psum."""
    half = 1 << (config.array.psum_width - 1)
    return random.randrange(-half, half)


@dataclass(frozen=True)
class FedSegment:
    """A window of one segment as a feeder sees it: its beats, and the words that the row gets."""

    beats: list[dict[str, Any]]
    words: list[list[int]]


def random_fed_segment(config: Config, random: Random) -> FedSegment:
    """Full beats but for the last, for some row; with K = 2, rounds may end in words of one."""
    K, width = config.pe.macs, config.noc.psum_in
    slots = max(config.pe.psum_spad // K, 1)
    steps = random.randint(1, min(slots, 6))
    rounds = random.randint(1, min(slots // steps, 4))
    odd = int(K == 2 and random.random() < 0.5)
    sizes = [K - (odd and step == steps - 1) for step in range(steps)] * rounds
    words = [[random_psum(config, random) for _ in range(size)] for size in sizes]
    psums = [psum for word in words for psum in word]
    order = {"steps": steps, "odd": odd} if K == 2 else {}
    row = random.randrange(config.array.rows)
    parts = [psums[i : i + width] for i in range(0, len(psums), width)]
    beats = [{"row": row, "count": len(part), "psums": part, **order} for part in parts]
    return FedSegment(beats, words)


@dataclass(frozen=True)
class CollectorPass:
    """A pass as a collector sees it, and the words of every row.

    `fields`: `active` and `tails` of `CollectorConfig`, the others as in `CONSTANTS`.
    `words[row]`: chain words {psums, tail}; those without `tail` are for the PE above.
    """

    fields: dict[str, int]
    words: list[list[dict[str, Any]]]


def random_collector_pass(config: Config, random: Random) -> CollectorPass:
    """Some tails, some windows; depthwise passes have more than one round of steps a window."""
    K = config.pe.macs
    slots = config.pe.psum_spad // K
    rounds = random.choice((1, 1, 2, 3))
    steps = random.randint(1, max(1, slots // rounds))
    rounds = min(rounds, slots // steps)
    odd = int(K == 2 and random.random() < 0.5)
    active = int(random.random() < 0.9)
    tails = random.randrange(1, 1 << config.array.rows)
    windows = random.choice((1, 2, 4))
    fields = {
        "active": active,
        "tails": tails if active else random.randrange(1 << config.array.rows),
        "steps": steps,
        "psums": rounds * (steps * K - odd),
        "odd": odd,
        "windows": windows,
    }
    count = windows * rounds * steps if active else 0

    def words(row: int) -> list[dict[str, Any]]:
        return [
            {"psums": [random_psum(config, random) for _ in range(K)], "tail": tails >> row & 1}
            for _ in range(count)
        ]

    return CollectorPass(fields, [words(row) for row in range(config.array.rows)])


def collector_config(config: Config, fields: dict[str, int]) -> dict[str, int]:
    """`CollectorConfig` of a pass; of none, an empty one."""
    if not fields:
        return {}
    f = fields
    ends = {"slot_end": _words(config, f) - 2}
    if config.pe.macs == 2:
        ends |= {"step_end": f["steps"] - 2, "odd": f["odd"]}
    same = {name: f[name] for name in ("active", "tails", "windows")}
    return {**same, **ends, "single": int(f["windows"] == 1)}


def _words(config: Config, fields: dict[str, int]) -> int:
    """Words of a segment's window."""
    round_psums = fields["steps"] * config.pe.macs - fields["odd"]
    return -(-fields["psums"] // round_psums) * fields["steps"]


def collector_beats(config: Config, item: CollectorPass) -> list[list[int]]:
    """The beats of a pass: window by window, segments from the bottom; the last may be short."""
    fields, width = item.fields, config.noc.psum_out
    if not fields["active"]:
        return []
    per_window = _words(config, fields)
    beats = []
    for window in range(fields["windows"]):
        for row in range(config.array.rows):
            if not fields["tails"] >> row & 1:
                continue
            words = item.words[row][window * per_window :][:per_window]
            psums: list[int] = []
            for index, word in enumerate(words):
                last = index % fields["steps"] == fields["steps"] - 1
                psums += word["psums"][: len(word["psums"]) - (fields["odd"] and last)]
            beats += [psums[i : i + width] for i in range(0, len(psums), width)]
    return beats
