"""The AXI4 master with a memory of cocotbext-axi: a slice of the memories' campaign."""

from tb.cases import memory
from tb.cases.case import Demand

BURSTS = 160


def test_words_and_errors_come_back() -> None:
    memory.axi_master(Demand(seed=5), bursts=BURSTS).run()
