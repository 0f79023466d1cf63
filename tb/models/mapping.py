"""Random convolutions in random mappings: command streams, and what NumPy makes of them."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.arch.commands import LOOPS, Rounding
from hw.arch.config import Config
from hw.arch.program import layout
from sim.functional.requantise import requantise
from tb.models.streams import WordStream, filter_words

Ints = NDArray[np.int64]


@dataclass
class Shape:
    """Shape of a convolution and its place on the array.

    N M C H W R S stride as usual (E and F follow); `pad` rows and columns on every side;
    `dilation` of rows; `mult`: depth multiplier, 0 unless depthwise. In a pass: `q` channels and
    `p` filters a PE, `chain` rows in each of `segments` segments, `tiles` output rows (J) of
    `groups` filter groups (T) of N items in the columns.
    """

    N: int
    M: int
    C: int
    H: int
    W: int
    R: int
    S: int
    stride: int
    pad: int
    dilation: int
    mult: int
    q: int
    p: int
    chain: int
    segments: int
    tiles: int
    groups: int

    def __post_init__(self) -> None:
        reach = self.dilation * (self.R - 1) + 1
        self.E = (self.H + 2 * self.pad - reach) // self.stride + 1
        self.F = (self.W + 2 * self.pad - self.S) // self.stride + 1

    @property
    def folds(self) -> int:
        """Passes that add up to one result."""
        return self.R * (1 if self.mult else self.C // self.q) // self.chain

    @property
    def span(self) -> int:
        """Ifmap rows that the columns of one item want."""
        return (self.tiles - 1) * self.stride + self.dilation * (self.R - 1) + 1


@dataclass
class MappedConvolution:
    """A convolution, mapped; see `random_convolution`."""

    config: Config
    shape: Shape
    x: NDArray[Any]
    w: NDArray[Any]
    params: dict[str, Ints]
    constants: dict[str, int]
    random: Random = field(repr=False)

    # ---- what comes out -------------------------------------------------------------------

    def sums(self) -> Ints:
        """Accumulators (N, E, F, M) as the array makes them, modulo 2^psum_width."""
        s, c = self.shape, self.constants
        edges = (s.pad, s.pad)
        x = np.pad(self.x.astype(np.int64) - c["zero"], ((0, 0), edges, edges, (0, 0)))
        w = self.w.astype(np.int64) - c["weight_zero"]
        out = np.zeros((s.N, s.E, s.F, s.M), np.int64)
        for r in range(s.R):
            for t in range(s.S):
                top = r * s.dilation
                part = x[:, top:, t:][:, :: s.stride, :: s.stride][:, : s.E, : s.F]
                products = (part[..., None] * w[r, t]) >> c.get("window_shift", 0)
                if s.mult:
                    out += products.reshape(out.shape)
                else:
                    out += products.sum(axis=3)
        half = 1 << (self.config.array.psum_width - 1)
        return (out + half) % (2 * half) - half

    def expected(self) -> Ints:
        """Stored outputs (N, E, F, M)."""
        return requantise(self.sums(), **self.params, output=self.constants)

    # ---- what goes in ---------------------------------------------------------------------

    def patterns(self) -> list[dict[str, Any]]:
        """Row patterns: one for every fold (depthwise: for every tile of channel groups too)."""
        s = self.shape
        gap = self.config.array.rows - s.chain * s.segments
        tiles = s.C // s.q // s.segments if s.mult else 1
        return [
            self._pattern(fold, tile, self.random.randint(0, gap) if gap else 0)
            for tile in range(tiles)
            for fold in range(s.folds)
        ]

    def _pairs(self, fold: int, segment: int, tile: int) -> list[tuple[int, int]]:
        """(channel group, filter row) of a segment's rows."""
        s = self.shape
        numbers = range(fold * s.chain, (fold + 1) * s.chain)
        if s.mult:
            return [(tile * s.segments + segment, r) for r in numbers]
        return [divmod(number, s.R) for number in numbers]

    def _pattern(self, fold: int, tile: int, below: int) -> dict[str, Any]:
        """`below` rows stay idle under the first segment."""
        s, config = self.shape, self.config
        pairs = [self._pairs(fold, segment, tile) for segment in range(s.segments)]
        used = sorted({group for segment in pairs for group, _ in segment})
        rows: list[dict[str, int]] = [{} for _ in range(below)]
        segments = []
        for number, segment in enumerate(pairs):
            segments.append(
                {
                    "head": len(rows),
                    "first": 1,
                    "last": 1,
                    "psum": number * s.N * s.groups * s.tiles * self._window_beats(),
                    "channel": number * s.p,
                }
            )
            for place, (group, r) in enumerate(segment):
                rows.append(
                    {
                        "active": 1,
                        "head": int(place == 0),
                        "tail": int(place == s.chain - 1),
                        "first": 1,
                        "fid": number * s.chain + place,
                        "iid": used.index(group),
                        "ioff": r * s.dilation,
                    }
                )
        slots = []
        for group in used:
            block, lane = divmod(group * s.q, config.lanes)
            slots.append({"address": block * s.H * s.W, "lane": lane, **self._sweep()})
        return {
            "filters": s.chain * s.segments,
            "rows": rows,
            "slots": slots,
            "segments": segments,
        }

    def _sweep(self) -> dict[str, int]:
        """The rows that a slot streams: all in turn, or column by column if none is shared."""
        s = self.shape
        apart = s.tiles == 1 or s.stride > s.dilation * (s.R - 1)
        if apart and self.random.random() < 0.7:
            return {
                "outer": s.tiles,
                "outer_step": s.stride,
                "outer_words": s.stride * s.W,
                "inner": s.R,
                "inner_step": s.dilation,
                "inner_words": s.dilation * s.W,
            }
        return {"outer": s.span, "outer_step": 1, "outer_words": s.W, "inner": 1}

    def _window_beats(self) -> int:
        return self.shape.F * self.constants["psum_beats"]

    def columns(self) -> dict[str, Any]:
        """The column pattern: items, filter groups and output rows side by side."""
        s = self.shape
        places = [(n, t, j) for n in range(s.N) for t in range(s.groups) for j in range(s.tiles)]
        self.random.shuffle(places)
        planes = layout.channel_blocks(self.config, s.M, raw=self.raw)
        entries = [
            {
                "tid": t,
                "base": n * s.span + j * s.stride,
                "psum": column * self._window_beats(),
                "channel": t * s.segments * s.p,
                "output": n * planes * s.E * s.F + j * s.F,
            }
            for column, (n, t, j) in enumerate(places)
        ]
        return {"groups": s.groups, "columns": entries}

    @property
    def raw(self) -> bool:
        """The results are accumulators of 32 bits."""
        return self.constants["mode"] == Rounding.RAW

    @property
    def pass_filters(self) -> int:
        """Filters of a pass."""
        s = self.shape
        return s.p * s.segments * s.groups

    def loops(self) -> tuple[list[dict[str, int]], int]:
        """The nest (filters, tiles of rows, folds) in random places, and the accumulate bits."""
        s = self.shape
        down = {
            "ifmap": s.tiles * s.stride * s.W,
            "y": s.tiles * s.stride,
            "output": s.tiles * s.F,
        }
        steps = s.E // s.tiles
        filters: dict[str, int] = {"channel": self.pass_filters}
        filters |= {name: -(steps - 1) * value for name, value in down.items()}
        filters["rows"] = 1 if s.mult else 1 - s.folds
        nest = [
            {"count": s.M // self.pass_filters, **filters},
            {"count": steps, **down, "rows": 1 - s.folds},
            {"count": s.folds, "rows": 1},
        ]
        places = sorted(self.random.sample(range(LOOPS), 3))
        full = [{"count": 1} for _ in range(LOOPS)]
        for place, loop in zip(places, nest, strict=True):
            full[place] = loop
        return full, 1 << places[2]

    def filters(self) -> list[NDArray[Any]]:
        """Stored weights of every pass, in the order in which they are sent."""
        s, K = self.shape, self.config.pe.macs
        sent = []
        for first in range(0, s.M, self.pass_filters):
            for _ in range(s.E // s.tiles):
                for fold in range(s.folds):
                    parts = []
                    for number in range(s.segments):
                        for group, r in self._pairs(fold, number, first // self.pass_filters):
                            for t in range(s.groups):
                                m = first + (t * s.segments + number) * s.p
                                parts.append(self._weights(group, r, m, K))
                    sent.append(np.concatenate(parts))
        return sent

    def _weights(self, group: int, r: int, m: int, K: int) -> NDArray[Any]:
        """Weights of one PE: (taps, steps · K), filled up with 0."""
        s = self.shape
        channels = slice(group * s.q, (group + 1) * s.q)
        part = self.w[r, :, channels] if s.mult else self.w[r, :, channels, m : m + s.p]
        part = part.reshape(s.q * s.S, -1)
        part = np.pad(part, ((0, 0), (0, -part.shape[1] % K)))
        return filter_words(self.config, part)

    def append(
        self,
        stream: WordStream,
        *,
        tag: int = 0,
        store: bool = True,
        surplus: int = 0,
        place: tuple[int, int] = (0, 0),
    ) -> tuple[int, int, int, int]:
        """Add tables, load, CONV and store of the result; returns the shape of what is stored.

        `surplus`: words of filters that no pass takes. `place`: the first buffer word and the first
        psum beat, see `anywhere`.
        """
        s, c, config = self.shape, self.constants, self.config
        rows = self.random.randint(0, self.config.control.row_patterns - len(self.patterns()))
        column = self.random.randint(0, self.config.control.col_patterns - 1)
        loops, accumulate = self.loops()
        word, beat = place
        output = word + s.N * layout.channel_blocks(self.config, s.C) * s.H * s.W
        stream.rows(*self.patterns(), first=rows).columns(self.columns(), first=column)
        stream.params(**self.params, short=self.random.random() < 0.75)
        stream.load(self.x, word, fence=True)
        bases = {
            "y": -s.pad,
            "x": -s.pad,
            "ifmap": (word - s.pad * s.W - s.pad) % (1 << 20),
            "psum": beat,
            "output": output,
            "rows": rows,
            "columns": column,
        }
        filters = self.filters()
        if surplus:
            filters.append(np.ones(surplus * 64 // config.array.data_width, dtype=self.w.dtype))
        stream.conv({**c, "accumulate": accumulate}, bases, loops, filters, tag=tag)
        shape = (s.N, s.E, s.F, s.M)
        if store:
            stream.store(shape, output, raw=self.raw, tag=tag)
        return shape

    def _sizes(self) -> tuple[int, int]:
        """Buffer words of both maps, and psum beats."""
        s, config = self.shape, self.config
        planes_in = layout.channel_blocks(config, s.C)
        planes_out = layout.channel_blocks(config, s.M, raw=self.raw)
        words = s.N * (planes_in * s.H * s.W + planes_out * s.E * s.F)
        beats = 0
        if s.folds > 1:
            beats = s.segments * s.N * s.groups * s.tiles * self._window_beats()
        return words, beats

    def _room(self, beats: int) -> int:
        """Buffer words below so many psum beats."""
        config = self.config
        return min(config.act_banks * config.buffer.depth, layout.psum_floor(config, beats))

    def anywhere(self, random: Random) -> tuple[int, int]:
        """A random place in the buffer, for `append`: maps in any banks, psums above them."""
        words, beats = self._sizes()
        most = layout.psum_capacity(self.config) - beats
        fitting = [b for b in range(0, most + 1, 7) if self._room(b + beats) >= words]
        beat = random.choice(fitting) if beats else 0
        return random.randint(0, self._room(beat + beats) - words), beat

    def fits(self) -> bool:
        """Activations below, psums above, patterns in their memories."""
        words, beats = self._sizes()
        return (
            beats <= layout.psum_capacity(self.config)
            and words <= self._room(beats)
            and len(self.patterns()) <= self.config.control.row_patterns
        )
