"""Adapters of the memory port with models that are not ours: a slice of the memories' campaign."""

from tb.cases import memory
from tb.cases.case import Demand

BURSTS = 160


def test_axi_master() -> None:
    memory.axi_master(Demand(seed=5), bursts=BURSTS).run()
