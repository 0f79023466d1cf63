"""What the waves of mappings cost: cycles of every resource, and words moved.

A pass takes as long as its busiest resource, plus what it takes to fill and drain the array. All
figures are computed for many candidate mappings at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from compiler.mapper.candidates import Candidates
from compiler.mapper.cost import Cost
from compiler.mapper.passes import PassKinds, pass_kinds, pixels
from compiler.mapper.resources.model import ArrayModel, array_model
from compiler.mapper.resources.work import Ints, PassWork, multiply_steps, psum_beats
from compiler.mapper.space import ConvShape
from hw.arch.accesses import Accesses, DataType, Level, Tally
from hw.arch.config import Config
from hw.arch.patterns import col_pattern_words, row_pattern_words

_DESCRIPTOR = 50  # words of a CONV command besides its filters, and its start


@dataclass(frozen=True)
class WaveCost:
    """Cost of one wave (all passes for one set of column tasks), arrays over the candidates.

    model : names the resources and accesses
    busy : cycles in which each resource is needed, [resource, candidate]
    words : moved, [access, candidate]
    psum_beats : psum beats that must be held between passes (0: none)
    """

    model: ArrayModel
    cycles: Ints
    busy: Ints
    words: Ints
    psum_beats: Ints
    passes: Ints

    def load(self, index: int) -> Cost:
        """The cost of one candidate."""
        return Cost(
            cycles=int(self.cycles[index]),
            busy=Tally(self.model.resources, self.busy[:, index].tolist()),
            accesses=Accesses(self.model.accesses, self.words[:, index].tolist()),
            passes=int(self.passes[index]),
        )

    @cached_property
    def glb(self) -> Ints:
        """Words read from and written to the buffer."""
        return self._words([a.level is Level.BUFFER for a in self.model.accesses])

    @cached_property
    def filters(self) -> Ints:
        """Words of filters sent to PEs."""
        return self._words(
            [a.level is Level.NETWORK and a.data is DataType.FILTER for a in self.model.accesses]
        )

    def _words(self, chosen: Sequence[bool]) -> Ints:
        found: Ints = self.words[np.array(chosen)].sum(axis=0)
        return found


def block_overhead(config: Config) -> int:
    """Link words that a CONV command with patterns of its own needs before it can begin."""
    return row_pattern_words(config.array.rows) + col_pattern_words(config.array.cols) + _DESCRIPTOR


def wave_cost(config: Config, shape: ConvShape, windows: int, some: Candidates) -> WaveCost:
    """Cost of a wave for every candidate.

    Every candidate has an entry for each kind of pass that its fold has; the entries of all
    candidates are computed at once.
    """
    kinds = [pass_kinds(shape, fold, config.array.rows) for fold in some.folds]
    sizes = np.array([len(kind) for kind in kinds], dtype=np.int64)
    firsts = np.concatenate([[0], np.cumsum(sizes)])
    each = sizes[some.fold]
    starts = np.concatenate([[0], np.cumsum(each)])[:-1]
    at = np.repeat(np.arange(len(some)), each)  # the candidate of an entry
    kind = np.arange(len(at)) - starts[at] + firsts[some.fold][at]

    def of_kinds(name: str) -> Ints:
        joined: Ints = np.concatenate([getattr(entry, name) for entry in kinds])[kind]
        return joined

    streamed = _ifmap_rows(some, kinds)
    streamed *= (some.cn * some.of_folds(lambda fold: pixels(shape, fold, windows)))[at]
    q = some.of_folds(lambda fold: fold.q)
    model = array_model(config)
    busy, words = model.demands(
        PassWork(
            windows=windows,
            at=at,
            p=some.p,
            q=q,
            span=some.of_folds(lambda fold: fold.span),
            steps=multiply_steps(config, some.p, q, shape.multiplier),
            columns=some.columns,
            groups=some.cm,
            pixels=streamed,
            inward=of_kinds("inward"),
            outward=of_kinds("outward"),
            ends=of_kinds("ends"),
            filters=of_kinds("filters"),
        )
    )
    times = of_kinds("times")

    def summed(values: Ints) -> Ints:
        total: Ints = np.add.reduceat(values * times, starts, axis=-1)
        return total

    held = psum_beats(config, some.p) * some.columns * windows
    held *= some.of_folds(lambda fold: fold.units)
    waiting = np.array([entry.psums_wait for entry in kinds])[some.fold]
    return WaveCost(
        model=model,
        cycles=summed(busy.max(axis=0) + model.overhead),
        busy=summed(busy),
        words=summed(words),
        psum_beats=held * waiting,
        passes=np.array([entry.passes for entry in kinds], dtype=np.int64)[some.fold],
    )


def _ifmap_rows(some: Candidates, kinds: Sequence[PassKinds]) -> Ints:
    """Ifmap rows of every entry for one batch item."""
    pairs, inverse = np.unique(np.stack([some.fold, some.ce]), axis=1, return_inverse=True)
    rows = [kinds[fold].ifmap_rows(ce) for fold, ce in pairs.T.tolist()]
    return np.array([n for pair in inverse.reshape(-1).tolist() for n in rows[pair]])
