"""The PE that skips zeros: activations that stand for zero take no time."""

from amaranth.hdl import Module, Signal, ValueLike
from amaranth.lib import data
from amaranth.lib.wiring import connect, flipped

from hw.arch.config import Config
from hw.base.queue import Queue
from hw.pe.filter_spad import FilterSpad
from hw.pe.nonzero_ring import NonzeroRing
from hw.pe.pipeline import Issue, PipelinePE
from hw.pe.skipping_walk import SkippingPass, SkippingWalk, skipping_constants


class SkippingPE(PipelinePE):
    """A PE that steps over the activations that stand for zero, which add nothing to a sum.

    They are counted, not stored, in the ifmap scratchpad, and the filter scratchpad is addressed
    by a word's place in its window. A window takes max(1, words that are not zero) · steps cycles
    when its words are there; `SkippingWalk` says what happens where they come one by one. Depthwise
    passes take their time as in a dense PE, and so does all else: psums leave in the same order.

    `gated` tells of steps that stand for a zero: those of depthwise passes, and of rounds that only
    send. `ifmap_spad_reads` and `ifmap_spad_writes` are those of words that are not zero.
    """

    @classmethod
    def pass_config(cls, config: Config) -> SkippingPass:
        """`SkippingPass`, of which the walk makes its counters."""
        return SkippingPass(config)

    @classmethod
    def pass_constants(cls, config: Config, constants: data.View) -> dict[str, ValueLike]:
        """Ends and counts of the walk."""
        return skipping_constants(config, constants)

    def _front(self, m: Module, beats: Queue, advance: Signal, issue: Signal) -> Issue:
        config = self.parameters
        m.submodules.ifmap_ring = ring = NonzeroRing(config)
        m.submodules.filter_spad = filters = FilterSpad(config, indexed=True)
        m.submodules.walk = walk = SkippingWalk(config)
        connect(m, beats.output, ring.beats)
        connect(m, flipped(self.filters), filters.beats)
        m.d.comb += [
            walk.config.eq(self.config),
            walk.config_pass.eq(self.config_pass),
            self.started.eq(walk.started),
            self.running.eq(walk.running),
            walk.step.eq(issue),
            *(getattr(walk, name).eq(getattr(ring, name)) for name in ("valid", "offset", "known")),
            ring.step.eq(issue & walk.word_done),
            ring.used.eq(walk.used),
            ring.free.eq(walk.word_free),
            ring.rewind.eq(walk.window_done),
            ring.move.eq(walk.move),
            filters.index.eq(walk.index),
            filters.step.eq(issue),
            filters.rewind.eq(walk.word_done),
            filters.release.eq(walk.pass_done & walk.release),
            filters.enable.eq(issue & walk.used),
            self.starved_ifmap.eq(walk.running & ~walk.available & advance),
            self.starved_filter.eq(walk.running & ~filters.loaded & walk.available & advance),
        ]
        if config.control.access_counters:
            m.d.comb += [
                self.ifmap_spad_reads.eq(ring.step & walk.used),
                self.ifmap_spad_writes.eq(ring.put),
                self.filter_spad_reads.eq(filters.fetches),
                self.filter_spad_writes.eq(self.filters.valid & self.filters.ready),
            ]
        ready = walk.running & walk.available & filters.loaded
        return Issue(ready, walk.operation, ~walk.used, ring.word, filters.weights)
