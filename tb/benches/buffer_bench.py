"""The global buffer: its ports at random, arbitration, address maps, read latency."""

from random import Random
from typing import Any

import cocotb

from hw.arch.commands import ADDRESS
from hw.arch.config import Config
from hw.glb.ports import act_write_layout, psum_write_layout
from tb.bus import Bench, Source, read_case, stall_rates
from tb.models.buffer import BufferModel, Place


class Ports:
    """All ports, checked against the model in every cycle.

    Sampled before the sources, so that it sees what they offer.
    """

    def __init__(self, dut: Any, config: Config, *, seed: object, stall: float):
        def source(name: str, shape: Any) -> Source:
            return Source(dut, name, shape, seed=seed, stall=stall)

        self.sources = {  # in the order of their priority
            "psum_write": source("psum_write", psum_write_layout(config)),
            "psum_read": source("psum_read__request", ADDRESS),
            "act_write": source("act_write", act_write_layout(config)),
            "act_read": source("act_read__request", ADDRESS),
        }
        self._data = {"psum_read": dut.psum_read__data, "act_read": dut.act_read__data}
        if config.buffer.filters:
            self.sources["filter_read"] = source("filter_read__request", ADDRESS)
            self._data["filter_read"] = dut.filter_read__data
        self._dut = dut
        self._width = config.array.data_width
        self.model = BufferModel(config)
        self._due: dict[str, list[int | None]] = {}
        self.checked = dict.fromkeys(self._data, 0)
        self.conflicts = 0

    def _places(self, name: str) -> list[Place]:
        """Banks and rows that the offered request of a port wants."""
        item = self.sources[name].items[0]
        address = item if isinstance(item, int) else item["addr"]
        return (
            self.model.psum_places(address)
            if name.startswith("psum")
            else self.model.act_places(address)
        )

    def _answers(self) -> None:
        """Data of the reads that were granted in the cycle before."""
        for name, wanted in self._due.items():
            bits = str(self._data[name].value)
            for lane, value in enumerate(wanted):
                end = len(bits) - lane * self._width
                got = bits[end - self._width : end]
                if value is not None:
                    assert got == f"{value:0{self._width}b}", f"{name} lane {lane}"
                    self.checked[name] += 1
        self._due = {}

    def sample(self, cycle: int) -> None:
        self._answers()
        taken: set[int] = set()
        writes = []
        for name in self.sources:
            source = self.sources[name]
            if not int(source._valid.value):
                continue
            places = self._places(name)
            banks = {bank for bank, _ in places}
            granted = not banks & taken
            self.conflicts += not granted
            assert source.transferred() == granted, f"cycle {cycle}: grant of {name}"
            taken |= banks  # a request that waits keeps later ones from its banks as well
            if granted and name.endswith("read"):
                self._due[name] = self.model.read(places)
            elif granted:
                item = source.items[0]
                writes.append((places, item["data"], item.get("mask", -1)))
        for places, data, mask in writes:
            self.model.write(places, data, mask)

    def drive(self) -> None:
        """The sources drive."""


@cocotb.test()
@cocotb.parametrize(stall=stall_rates(0.0, 0.5))
async def traffic(dut: Any, stall: float) -> None:
    """Requests that often meet in a bank; activations and psums share all that both can reach."""
    case = read_case()
    config, random = Config.from_dict(case["config"]), Random(repr((case["seed"], stall)))
    bench = Bench(dut, seed=case["seed"])
    ports = Ports(dut, config, seed=case["seed"], stall=stall)
    bench.add(ports, *ports.sources.values())
    hot = [random.randrange(ports.model.act_words) for _ in range(12)]
    hot_beats = [random.randrange(ports.model.psum_beats) for _ in range(12)]

    def word() -> int:
        wide = random.random() < 0.3
        return random.randrange(ports.model.act_words) if wide else random.choice(hot)

    def beat() -> int:
        wide = random.random() < 0.3
        return random.randrange(ports.model.psum_beats) if wide else random.choice(hot_beats)

    for _ in range(case["requests"]):
        data = random.getrandbits(config.buffer.width * config.banks_per_beat)
        ports.sources["psum_write"].items.append({"addr": beat(), "data": data})
        ports.sources["psum_read"].items.append(beat())
        mask = random.choice((random.getrandbits(config.lanes), (1 << config.lanes) - 1))
        data = random.getrandbits(config.buffer.width)
        ports.sources["act_write"].items.append({"addr": word(), "mask": mask, "data": data})
        ports.sources["act_read"].items.append(word())
        if config.buffer.filters:
            ports.sources["filter_read"].items.append(word())
    await bench.start()
    await bench.run(
        lambda: all(source.idle for source in ports.sources.values()),
        limit=50 * case["requests"],
    )
    await bench.idle(2)
    assert min(ports.checked.values()) > case["requests"] // 4, "too few reads of known words"
    if stall <= 0.5:  # requests that come rarely seldom meet
        assert ports.conflicts > case["requests"] // 8, "too few conflicts"
