"""The replayer without time: images run from a memory, as `hw.replay` does it."""

from sim.replay.functional import FunctionalReplayer, functional_link

__all__ = ["FunctionalReplayer", "functional_link"]
