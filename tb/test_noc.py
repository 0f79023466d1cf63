"""The networks on the emitted Verilog."""

from functools import partial

import pytest

from hw.arch.config import Config
from hw.array.collector import ColumnCollector
from hw.array.feeder import ColumnFeeder
from hw.noc.multicast import MulticastNetwork
from tb.build import simulate

GRIDS = [
    {"rows": 1, "cols": 1, "row_tag": 2, "col_tag": 3},
    {"rows": 4, "cols": 3, "row_tag": 3, "col_tag": 5},
    {"rows": 3, "cols": 6, "row_tag": 6, "col_tag": 10},
]


@pytest.mark.parametrize("entry", [0, 1])
@pytest.mark.parametrize("pipeline", [0, 1])
@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: "{rows}x{cols}".format(**grid))
def test_multicast(grid, pipeline, entry):
    bits = 12
    case = {
        "geometry": grid,
        "pipeline": pipeline or entry,
        "payload_bits": bits,
        "rounds": 4,
        "beats": 80,
        "stall": 0.3,
        "seed": f"{grid} {pipeline} {entry}",
    }
    block = partial(MulticastNetwork, bits, **grid, pipeline=pipeline, entry=entry)
    simulate(block, "multicast_bench", case)


COLUMNS = {
    "default": {},
    "one row": {"rows": 1, "noc_psum_in": 1, "noc_psum_out": 1},
    "chip": {
        "rows": 12,
        "data_width": 16,
        "psum_width": 16,
        "noc_ifmap": 1,
        "noc_filter": 4,
        "column_fifo": 8,
    },
    "two macs": {"macs_per_pe": 2, "rows": 3},
    "two macs, narrow": {"macs_per_pe": 2, "noc_psum_in": 2, "noc_psum_out": 2, "column_fifo": 2},
    "two macs, wide": {"macs_per_pe": 2, "noc_psum_in": 8, "noc_psum_out": 8, "glb_banks": 16},
    "wide": {"noc_psum_in": 8, "noc_psum_out": 8, "glb_banks": 16, "psum_spad": 9},
    "registers": {"control_pipeline": 1, "map_bits": 10, "rows": 6},
}


@pytest.mark.parametrize("name", COLUMNS)
def test_feeder(name):
    case = {"config": COLUMNS[name], "seed": name, "segments": 80}
    simulate(partial(ColumnFeeder, Config(**COLUMNS[name])), "column_bench", case, test="feeder")


@pytest.mark.parametrize("name", COLUMNS)
def test_collector(name):
    case = {"config": COLUMNS[name], "seed": name, "passes": 12}
    block = partial(ColumnCollector, Config(**COLUMNS[name]))
    simulate(block, "column_bench", case, test="collector")
