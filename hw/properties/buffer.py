"""Property 6: a bank has one master at a time, and who reads gets what was written last."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.utils import ceil_log2, exact_log2

from hw.arch.config import Config
from hw.base.block import Block
from hw.glb.buffer import GlobalBuffer
from hw.properties.harness.bench import ProofBench, implies
from hw.properties.harness.property import Property
from hw.properties.harness.shrunk import shrunk

_WORDS = 4


def _ports(buffer: GlobalBuffer) -> dict[str, tuple[Value, Value, Value]]:
    """(valid, ready, address) of every port in the order of priority."""
    found = {
        "psum_write": (
            buffer.psum_write.valid,
            buffer.psum_write.ready,
            buffer.psum_write.payload.addr,
        ),
        "psum_read": _request(buffer.psum_read),
        "act_write": (
            buffer.act_write.valid,
            buffer.act_write.ready,
            buffer.act_write.payload.addr,
        ),
        "act_read": _request(buffer.act_read),
    }
    if buffer.config.buffer.filters:
        found["filter_read"] = _request(buffer.filter_read)
    return found


def _request(port) -> tuple[Value, Value, Value]:
    return port.request.valid, port.request.ready, port.request.payload


class _Map:
    """The address maps of docs/architecture.md, said once more and in another way.

    A word of activations is (bank, row) from the bottom; a beat of psums is `k` neighbouring banks,
    whose first one is counted from the top in pairs of groups.
    """

    def __init__(self, m: Module, config: Config):
        self._m = m
        self._config = config
        self._rows = exact_log2(config.buffer.depth)

    def row(self, address: Value, psums: bool) -> Value:
        return (address >> psums)[: self._rows]

    def bank(self, address: Value, psums: bool, name: str) -> tuple[Value, Value]:
        """The first bank of an address, and whether there is one."""
        config, k = self._config, self._config.banks_per_beat
        if not psums:
            bits = ceil_log2(max(config.act_banks, 2))
            bank = (address >> self._rows)[:bits]
            return bank, bank < config.act_banks
        group = (address >> (1 + self._rows))[: ceil_log2(max(config.psum_groups, 2))]
        first = Signal(range(config.buffer.banks + 1), name=f"{name}_bank")
        for number in range(config.psum_groups):
            for parity in range(2):
                with self._m.If((group == number) & (address[0] == parity)):
                    below = 2 * k * (number + 1) - parity * k
                    self._m.d.comb += first.eq(config.buffer.banks - below)
        return first, group < config.psum_groups


def _small(config: Config) -> Config:
    """The same banks, lanes and beats, of few words and, where psums still fit so, of few bits."""
    depth = {"buffer.depth": _WORDS}
    for bits in range(1, config.array.data_width):
        narrow = {
            "array.data_width": bits,
            "buffer.width": config.lanes * bits,
            "array.psum_width": -(-config.array.psum_width * bits // config.array.data_width),
        }
        small = shrunk(config, {**depth, **narrow})
        if (small.psums_per_word, small.lanes) == (config.psums_per_word, config.lanes):
            return small
    return shrunk(config, depth)


@dataclass(frozen=True)
class BanksAreShared(Property):
    """The `GlobalBuffer` of a configuration."""

    number = 6
    title = "a bank has one master at a time, and a read gets the word written last"

    config: Config

    @classmethod
    def of(cls, block: Block) -> Iterator["BanksAreShared"]:
        if isinstance(block, GlobalBuffer):
            yield cls(_small(block.config))

    @property
    def subject(self) -> str:
        size = self.config
        beats = f"psum beats of {size.banks_per_beat} banks"
        return f"GlobalBuffer of {size.buffer.banks} banks of {size.lanes} lanes, {beats}"

    @property
    def reduced(self) -> str:
        size = self.config
        lane = f"lanes of {size.array.data_width} bits"
        return f"{size.buffer.depth} words a bank and {lane} stand for more"

    def build(self, bench: ProofBench) -> None:
        config, m = self.config, bench.m
        buffer = GlobalBuffer(config)
        inside = bench.place(buffer)
        ports = _ports(buffer)
        self._grants(bench, ports)
        for index in range(config.buffer.banks):
            takes = Cat(inside.signal(f"{name}_{index}") for name in ports)
            single = (takes & (takes - 1)[: len(ports)]) == 0
            bench.claim(f"bank {index} has one master at most", single)
        # A word of the solver's choice and its contents, by what the ports did.
        bank = bench.constant(range(config.buffer.banks), "bank")
        row = bench.constant(range(config.buffer.depth), "row")
        bench.assume(bank < config.buffer.banks)
        word = Signal(config.buffer.width)
        stored = []
        for index in range(config.buffer.banks):
            look = inside.part(f"bank_{index}").submodule("mem").read_port(domain="comb")
            m.d.comb += look.addr.eq(row)
            stored.append(Mux(bank == index, Value.cast(look.data), 0))
        bench.claim(
            "the word holds what was written last",
            reduce(or_, stored) == word,
        )
        self._model(bench, buffer, ports, bank, row, word)

    def _grants(self, bench: ProofBench, ports: dict) -> None:
        """A request waits for an earlier one that wants one of its banks, and for nothing else."""
        maps, k = _Map(bench.m, self.config), self.config.banks_per_beat
        spans = {}
        for name, (_, _, address) in ports.items():
            psums = name.startswith("psum")
            first, there = maps.bank(address, psums, f"{name}_wants")
            spans[name] = (first, first + (k if psums else 1), there)
        for place, (name, (_, ready, _)) in enumerate(ports.items()):
            conflicts = []
            first, end, there = spans[name]
            for other in list(ports)[:place]:
                start, stop, exists = spans[other]
                overlap = there & exists & (first < stop) & (start < end)
                conflicts.append(ports[other][0] & overlap)
            bench.claim(
                f"{name} waits for an earlier request to its bank alone",
                ready == ~Cat(conflicts).any(),
            )

    def _model(
        self, bench: ProofBench, buffer: GlobalBuffer, ports: dict, bank, row, word: Signal
    ) -> None:
        config, m = self.config, bench.m
        maps, width = _Map(m, config), config.buffer.width
        for name, (valid, ready, address) in ports.items():
            psums = name.startswith("psum")
            first, there = maps.bank(address, psums, name)
            for part in range(config.banks_per_beat if psums else 1):
                mine = Signal(name=f"{name}_hits_{part}")
                m.d.comb += mine.eq(
                    valid
                    & ready
                    & there
                    & (first + part == bank)
                    & (maps.row(address, psums) == row)
                )
                if name == "psum_write":
                    with m.If(mine):
                        m.d.sync += word.eq(buffer.psum_write.payload.data.word_select(part, width))
                elif name == "act_write":
                    lane = config.array.data_width
                    for i in range(config.lanes):
                        with m.If(mine & buffer.act_write.payload.mask[i]):
                            m.d.sync += word.word_select(i, lane).eq(
                                buffer.act_write.payload.data.word_select(i, lane)
                            )
                else:
                    data = getattr(buffer, name).data.word_select(part, width)
                    asked = bench.past(mine, f"{name}_asked_{part}")
                    was = bench.past(word, f"{name}_word_{part}")
                    bench.claim(
                        f"{name} gets the word that it was granted",
                        implies(asked, data == was),
                    )
