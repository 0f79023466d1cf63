"""The nest walker and the pass sequencer."""

from random import Random
from typing import Any

import cocotb

from hw.arch.commands import BASES, CONSTANTS
from hw.arch.config import Config
from hw.arch.patterns import SEGMENT, SLOT
from hw.engines.tables import PassTable, column_entry, compact
from hw.sequencer.sequencer import ENGINES
from tb import codec
from tb.bus import Bench, read_case
from tb.models import sequencing as model

_COLUMN_READ = {"column_in", "column_out"}
READS = {
    "slot": "slot",
    "segment_in": "segment",
    "segment_out": "segment",
    "column_in": "column",
    "column_out": "column",
}


def _entry_shape(kind: str, config: Config) -> Any:
    if kind == "column":
        return column_entry(config)
    return compact(SLOT if kind == "slot" else SEGMENT, config)


def _in_pattern(table: Any, rows: model.Pattern, columns: model.Pattern) -> Any:
    """What a pass table must hold: of rows and columns without an entry, only that they rest."""
    known = dict(table)
    for name, count in (("rows", rows.header["rows"]), ("cols", columns.header["columns"])):
        rest = [{"active": entry["active"]} for entry in table[name][count:]]
        known[name] = table[name][:count] + rest
    return known


class Writer:
    """Writes words into a port {en, index, data}, also {pattern}, one a cycle."""

    def __init__(self, bench: Bench, port: Any):
        self._bench = bench
        self._handles = {name: getattr(bench.dut, f"{port}__{name}") for name in ("en", "index")}
        self._data = getattr(bench.dut, f"{port}__data")
        self._pattern = getattr(bench.dut, f"{port}__pattern", None)
        self._handles["en"].value = 0

    async def write(self, words: list[int], pattern: int = 0) -> None:
        """All words, from index 0 on."""
        for index, word in enumerate(words):
            self._handles["en"].value = 1
            self._handles["index"].value = index
            self._data.value = word
            if self._pattern is not None:
                self._pattern.value = pattern
            await self._bench.step()
        self._handles["en"].value = 0


async def _pulse(bench: Bench, handle: Any) -> None:
    """Raise a signal for a cycle, and let the device react."""
    handle.value = 1
    await bench.step()
    handle.value = 0
    await bench.step()


@cocotb.test()
async def walker(dut: Any) -> None:
    """The bases and the flags of every pass of random nests."""
    case = read_case()
    random = Random(repr(case["seed"]))
    bench = Bench(dut)
    dut.start.value = 0
    dut.next.value = 0
    writer = Writer(bench, "write")
    await bench.start()
    descriptor: model.Descriptor | None = None
    for _ in range(case["nests"]):
        if descriptor is not None and random.random() < 0.4:
            descriptor = model.random_bases(random, descriptor)
        else:
            descriptor = model.random_descriptor(random)
        await bench.idle(1)
        assert int(dut.idle.value)
        await writer.write(descriptor.words)
        await _pulse(bench, dut.start)
        for item in descriptor.passes:
            await bench.run(lambda: bool(dut.ready.value), limit=20)
            constants = codec.decode(compact(CONSTANTS), str(dut.constants.value))
            assert constants == descriptor.constants
            assert codec.decode(compact(BASES), str(dut.bases.value)) == item.bases
            names = ("first", "last", "opening", "closing")
            flags = tuple(int(getattr(dut, name).value) for name in names)
            place = (item.number == 0, item.number == len(descriptor.passes) - 1)
            assert flags == (item.first, item.last, *place), f"pass {item.number}"
            await bench.idle(random.choice((0, 0, 3)))
            await _pulse(bench, dut.next)
        await bench.run(lambda: bool(dut.idle.value), limit=20)


class Engines:
    """Everybody who works through passes at random speed, and what the tables must hold.

    An engine, the PEs and the collectors each have a number of the last pass that they are done
    with (PEs: have begun). A pass's table must stay as it is until all are done with the pass.
    """

    def __init__(self, dut: Any, config: Config, random: Random, speed: float):
        self._dut = dut
        self._config = config
        self._random = random
        self._speed = speed
        self._shape = PassTable(config)
        self.issued = 0
        self.issue_cycles: list[int] = []
        self.expected: list[tuple[Any, model.Pattern, model.Pattern]] = []
        self.at = dict.fromkeys((*ENGINES, "begun", "collected"), 0)
        self._asked: dict[str, tuple[int, int]] = {}
        self.entries_read = 0
        self.drive()

    def _in_use(self) -> list[int]:
        first = min(self.at.values()) + 1
        return list(range(first, self.issued + 1))

    def _check_tables(self) -> None:
        bits = str(self._dut.tables.value)
        width = self._shape.size
        for number in self._in_use():
            bank = number % 2
            part = bits[:width] if bank else bits[width:]
            table = codec.decode(self._shape, part)
            wanted, *patterns = self.expected[number - 1]
            expected = codec.fitted(self._shape, wanted)
            assert _in_pattern(table, *patterns) == _in_pattern(expected, *patterns), (
                f"table of pass {number}"
            )

    def _check_entries(self) -> None:
        for port, (number, index) in self._asked.items():
            if number not in self._in_use():
                continue
            kind = READS[port]
            bits = str(getattr(self._dut, f"{port}__data").value)
            _, rows, columns = self.expected[number - 1]
            pattern = columns if port in _COLUMN_READ else rows
            if index >= len(pattern.entries[kind]):
                continue
            shape = _entry_shape(kind, self._config)
            entry = pattern.entries[kind][index]
            expected = codec.fitted(shape, {name: entry[name] for name, _ in shape})
            got = codec.decode(shape, bits)
            assert got == expected, f"{kind} {index} of pass {number}"
            self.entries_read += 1

    def sample(self, cycle: int) -> None:
        issued = int(self._dut.issued.value)
        if issued != self.issued % 4:
            self.issued += 1
            self.issue_cycles.append(cycle)
            assert self.issued <= len(self.expected), "more passes than the nest has"
        assert issued == self.issued % 4
        assert self.issued - min(self.at.values()) <= 2, "a table was given away too early"
        self._check_tables()
        self._check_entries()
        for name in self.at:
            limit = self.at["begun"] if name == "collected" else self.issued
            if self.at[name] < limit and self._random.random() < self._speed:
                self.at[name] += 1

    def drive(self) -> None:
        done = {name: self.at[name] % 4 for name in ENGINES}
        self._dut.done.value = sum(done[name] << (2 * i) for i, name in enumerate(ENGINES))
        self._dut.begun.value = int(self.at["begun"] == self.issued)
        self._dut.settled.value = int(self.issued - self.at["collected"] <= 1)
        for port, kind in READS.items():
            entries = self._config.array.cols if kind == "column" else self._config.array.rows
            number = self._random.choice(self._in_use() or [0])
            index = self._random.randrange(entries)
            self._asked[port] = (number, index)
            getattr(self._dut, f"{port}__bank").value = number % 2
            getattr(self._dut, f"{port}__index").value = index

    @property
    def finished(self) -> bool:
        """Everybody is done with everything."""
        return min(self.at.values()) == self.issued


@cocotb.test()
@cocotb.parametrize(speed=(1.0, 0.15))
async def sequencer(dut: Any, speed: float) -> None:
    """Pass tables of random commands; equal patterns are not copied again."""
    case = read_case()
    config, random = Config.from_dict(case["config"]), Random(repr((case["seed"], speed)))
    bench = Bench(dut)
    dut.start.value = 0
    ports = {name: Writer(bench, name) for name in ("descriptor", "rows", "cols")}
    engines = bench.add(Engines(dut, config, random, speed))
    await bench.start()
    row_count, col_count = min(config.control.row_patterns, 3), min(config.control.col_patterns, 3)
    descriptor: model.Descriptor | None = None
    for _ in range(case["commands"]):
        rows = [model.random_rows(config, random) for _ in range(row_count)]
        columns = [model.random_columns(config, random) for _ in range(col_count)]
        for port, patterns in (("rows", rows), ("cols", columns)):
            for number, pattern in enumerate(patterns):
                await ports[port].write(pattern.words, number)
        for _ in range(3):
            if descriptor is not None and random.random() < 0.3:
                descriptor = model.random_bases(random, descriptor)
            else:
                descriptor = model.random_descriptor(
                    random, rows=row_count, columns=col_count, most=24
                )
            await ports["descriptor"].write(descriptor.words)
            for number, item in enumerate(descriptor.passes):
                pair = rows[item.bases["rows"]], columns[item.bases["columns"]]
                table = model.pass_table(descriptor, number, *pair)
                engines.expected.append((table, *pair))
            await _pulse(bench, dut.start)
            await bench.run(lambda: bool(dut.idle.value), limit=5000 * len(descriptor.passes))
        await bench.run(lambda: engines.finished, limit=2000)
    await bench.idle(3)
    assert engines.issued == len(engines.expected)
    if speed == 1.0:
        _check_reuse(engines)
    else:
        assert engines.entries_read > 10 * engines.issued


def _check_reuse(engines: Engines) -> None:
    """A pass whose bank holds its patterns follows without a copy, in a dozen cycles at most."""
    quick = 0
    for number in range(2, engines.issued):
        table, *patterns = engines.expected[number]
        before, *held = engines.expected[number - 2]
        previous = engines.expected[number - 1][0]
        gap = engines.issue_cycles[number] - engines.issue_cycles[number - 1]
        same = all(a is b for a, b in zip(patterns, held, strict=True))
        if same and table["constants"] is before["constants"] is previous["constants"]:
            assert gap <= 12, f"pass {number} came {gap} cycles after the one before"
            quick += 1
    assert quick, "no pattern was used again"
