"""The networks on the emitted Verilog."""

import pytest

from hw.arch.config import Config
from tb.cases import blocks
from tb.cases.case import Demand
from tests.thorough import thorough

GRIDS = [
    {"rows": 1, "cols": 1, "row_tag": 2, "col_tag": 3},
    {"rows": 4, "cols": 3, "row_tag": 3, "col_tag": 5},
    {"rows": 3, "cols": 6, "row_tag": 6, "col_tag": 10},
]


ALL = [(grid, pipeline, entry) for grid in GRIDS for pipeline in (0, 1) for entry in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("grid", "pipeline", "entry"),
    thorough([ALL[0], *ALL[4:8], *ALL[8::3]], ALL),  # all kinds of registers on one grid
    ids=lambda value: "{rows}x{cols}".format(**value) if isinstance(value, dict) else None,
)
def test_multicast(grid, pipeline, entry):
    demand = Demand(seed=f"{grid} {pipeline} {entry}")
    blocks.multicast(12, grid, demand, pipeline=pipeline, entry=entry).run()


COLUMNS = {
    "default": {},
    "one row": {"array.rows": 1, "noc.psum_in": 1, "noc.psum_out": 1},
    "chip": {
        "array.rows": 12,
        "array.data_width": 16,
        "array.psum_width": 16,
        "noc.ifmap": 1,
        "noc.filter": 4,
        "noc.column_fifo": 8,
    },
    "two macs": {"pe.macs": 2, "array.rows": 3},
    "two macs, narrow": {"pe.macs": 2, "noc.psum_in": 2, "noc.psum_out": 2, "noc.column_fifo": 2},
    "two macs, wide": {"pe.macs": 2, "noc.psum_in": 8, "noc.psum_out": 8, "buffer.banks": 16},
    "wide": {"noc.psum_in": 8, "noc.psum_out": 8, "buffer.banks": 16, "pe.psum_spad": 9},
    "registers": {"control.pipeline": 1, "control.map_bits": 10, "array.rows": 6},
}


# Each is one of the others but for a width.
WIDER = {"default", "two macs", "two macs, wide"}


@pytest.mark.parametrize("end", ["feeder", "collector"])
@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in thorough(WIDER, set())])
def test_column(name, end):
    blocks.columns(Config.of(COLUMNS[name]), Demand(seed=name))[end].run()
