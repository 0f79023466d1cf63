"""A zero-gated PE equals one that is not gated, cycle by cycle."""

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Cat, Value
from amaranth.lib.wiring import In

from hw.arch.config import Config
from hw.base.block import Block, signature_ports
from hw.pe.dense import DensePE
from hw.properties.harness.bench import ProofBench, implies
from hw.properties.harness.property import Property
from hw.properties.harness.shrunk import shrunk

_SIZES = {
    "pe.ifmap_spad": 4,
    "pe.psum_spad": 4,
    "pe.ifmap_fifo": 1,
    "pe.psum_fifo": 2,
    "noc.ifmap": 1,
    "control.map_bits": 3,
    "array.psum_width": 8,
}
_OPERAND = 1  # the highest value of an operand, and of a weight
_TOLD = ("fired", "gated")  # a step counts as the one or the other


@dataclass(frozen=True)
class GatingChangesNothing(Property):
    """A `DensePE` with and without `pe.zero_gating`, on the same inputs."""

    number = 13
    title = "a zero-gated PE equals an ungated one, cycle by cycle"
    bound = 9
    inductive = False

    config: Config

    @classmethod
    def of(cls, block: Block) -> Iterator["GatingChangesNothing"]:
        if isinstance(block, DensePE) and block.parameters.pe.zero_gating:
            config = block.parameters
            same = ("pe.macs", "control.pipeline", "array.data_width", "pe.weight_zero_points")
            small = shrunk(Config(), {name: config.value(name) for name in same})
            beat = {"noc.filter": config.pe.macs, "pe.filter_spad": 8 * config.pe.macs}
            yield cls(shrunk(small, {**_SIZES, **beat}))

    @property
    def subject(self) -> str:
        config = self.config
        kind = ", pipelined" if config.control.pipeline else ""
        return f"DensePE of {config.pe.macs} MACs, {config.array.data_width}-bit data{kind}"

    @property
    def reduced(self) -> str:
        return "scratchpads of 4 words, operands and weights of 0 and 1 stand for all"

    def build(self, bench: ProofBench) -> None:
        gated = DensePE(self.config)
        plain = DensePE(shrunk(self.config, {"pe.zero_gating": False}))
        bench.place(gated, name="gated")
        inputs = [port for port, _, flow in signature_ports(gated) if flow is In]
        bench.place(plain, name="plain", driven=tuple(inputs))
        theirs = {port: signal for port, signal, _ in signature_ports(plain)}
        events = []
        for port, signal, flow in signature_ports(gated):
            if flow is In:
                bench.m.d.comb += theirs[port].eq(signal)
            elif port in _TOLD:
                events.append((signal, theirs[port]))
            elif not port.endswith("payload"):
                bench.claim(f"{port} is the same", signal == theirs[port])
        bench.claim(
            "as many steps are taken",
            Cat(signal for signal, _ in events).any() == Cat(other for _, other in events).any(),
        )
        bench.claim(
            "the psums that leave are the same",
            implies(
                gated.output.valid,
                Value.cast(gated.output.payload) == Value.cast(plain.output.payload),
            ),
        )
        for words in (gated.ifmap.payload.words, gated.filters.payload.words):
            for word in words:
                bench.assume((word == 0) | (word == _OPERAND))
