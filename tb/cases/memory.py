"""Cases of the memory port's adapters."""

from functools import partial

from hw.memory.axi import AxiMaster
from tb.cases.case import Case, Demand

ADDRESS_BITS = 13


def axi_master(demand: Demand, *, bursts: int) -> Case:
    """Bursts through an AXI4 master to a memory with a page that fails."""
    return Case(
        name="AXI4 master",
        block=partial(AxiMaster, address_bits=ADDRESS_BITS),
        bench="memory_bench",
        values={
            "seed": demand.seed,
            "stalls": demand.stalls,
            "address_bits": ADDRESS_BITS,
            "bursts": bursts,
        },
    )
