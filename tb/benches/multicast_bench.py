"""The multicast network: a beat reaches all its targets in one cycle, and nobody else."""

from collections import deque
from random import Random
from typing import Any

import cocotb
from amaranth.lib import data

from tb import codec
from tb.bus import Bench, Source, Stalls, read_case
from tb.models import multicast as model


class Targets:
    """All outputs: random `ready`, and what is delivered in each cycle.

    An output is valid only in the cycle in which all targets of a beat are ready, so deliveries
    are the valid outputs. `delivered`: (cycle, {(row, col)}, payload) by row.
    """

    def __init__(self, dut: Any, geometry: model.Geometry, *, seed: object, stall: float):
        places = [(r, c) for r in range(geometry.rows) for c in range(geometry.cols)]
        self._valid = {p: getattr(dut, "outputs__{}__{}__valid".format(*p)) for p in places}
        self._payload = {p: getattr(dut, "outputs__{}__{}__payload".format(*p)) for p in places}
        self._ready = {p: getattr(dut, "outputs__{}__{}__ready".format(*p)) for p in places}
        self._stalls = {p: Stalls((seed, p), stall) for p in places}
        self.ready: dict[tuple[int, int], bool] = dict.fromkeys(places, False)
        self.delivered: dict[int, list[tuple[int, set[tuple[int, int]], int]]] = {
            r: [] for r in range(geometry.rows)
        }
        for handle in self._ready.values():
            handle.value = 0

    def sample(self, cycle: int) -> None:
        reached: dict[int, dict[tuple[int, int], int]] = {}
        for place, valid in self._valid.items():
            if int(valid.value):
                assert self.ready[place], f"{place} was given a beat that it could not take"
                reached.setdefault(place[0], {})[place] = int(self._payload[place].value)
        for row, found in reached.items():
            payloads = set(found.values())
            assert len(payloads) == 1, f"row {row} carries different payloads in one cycle"
            self.delivered[row].append((cycle, set(found), payloads.pop()))

    def drive(self) -> None:
        for place, handle in self._ready.items():
            self.ready[place] = self._stalls[place].go()
            handle.value = int(self.ready[place])


class DirectCheck:
    """Without registers between the buses: the input is ready exactly when all targets are."""

    def __init__(self, dut: Any, source: Source, sinks: Targets, wanted: Any):
        self._dut = dut
        self._source = source
        self._sinks = sinks
        self._wanted = wanted

    def sample(self, cycle: int) -> None:
        if int(self._dut.input__valid.value):
            beat = self._source.items[0]
            ready = all(self._sinks.ready[place] for place in self._wanted(beat))
            assert bool(self._dut.input__ready.value) == ready, f"ready is wrong for {beat}"

    def drive(self) -> None:
        """Nothing to drive."""


def _set_tables(dut: Any, geometry: model.Geometry, tables: model.Tables) -> None:
    row = data.StructLayout({"enable": 1, "id": geometry.row_tag, "offset": geometry.col_tag})
    two = data.ArrayLayout
    dut.rows.value = codec.encode(two(two(row, geometry.rows), 2), tables.rows)
    dut.ids.value = codec.encode(two(two(geometry.col_tag, geometry.cols), 2), tables.ids)
    enables = [codec.encode(two(1, geometry.cols), bits) for bits in tables.enables]
    dut.enables.value = codec.encode(two(geometry.cols, 2), enables)


@cocotb.test()
async def random_beats(dut: Any) -> None:
    """Rounds of random tables and beats; between rounds the network runs empty."""
    case = read_case()
    geometry = model.Geometry(**case["geometry"])
    random = Random(repr(case["seed"]))
    bits = case["payload_bits"]
    layout = data.StructLayout(
        {"payload": bits, "row": geometry.row_tag, "tag": geometry.col_tag, "bank": 1}
    )
    tables = model.random_tables(geometry, random)
    _set_tables(dut, geometry, tables)
    bench = Bench(dut, seed=case["seed"])
    source = Source(dut, "input", layout, seed=case["seed"], stall=0.2)
    sinks = Targets(dut, geometry, seed=case["seed"], stall=case["stall"])
    check = DirectCheck(dut, source, sinks, lambda beat: model.targets(geometry, tables, beat))
    if not case["pipeline"]:
        bench.add(check)
    bench.add(source, sinks)
    await bench.start()
    for _ in range(case["rounds"]):
        tables = model.random_tables(geometry, random)
        _set_tables(dut, geometry, tables)
        beats = [model.random_beat(geometry, tables, random, bits) for _ in range(case["beats"])]
        source.items = deque(beats)
        source.sent.clear()
        for row in sinks.delivered.values():
            row.clear()
        await bench.run(lambda: source.idle, limit=100 * len(beats) + 1000)
        await bench.idle(200 if case["pipeline"] else 2)
        _check(case, geometry, tables, source, sinks)


def _check(
    case: dict, geometry: model.Geometry, tables: model.Tables, source: Source, sinks: Targets
) -> None:
    """Every row gives every beat to all of its targets at once, in order."""
    for row, delivered in sinks.delivered.items():
        expected = []
        for cycle, beat in source.sent:
            wanted = {p for p in model.targets(geometry, tables, beat) if p[0] == row}
            if wanted:
                expected.append((cycle, wanted, beat["payload"]))
        if case["pipeline"]:
            late = [(got[0] - sent[0]) for got, sent in zip(delivered, expected, strict=False)]
            assert all(cycles >= 1 for cycles in late)
            delivered = [(0, *item[1:]) for item in delivered]
            expected = [(0, *item[1:]) for item in expected]
        assert delivered == expected, f"row {row}"
