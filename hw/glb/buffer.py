"""The global buffer: banks that each read or write one word a cycle, and who gets them."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In
from amaranth.utils import ceil_log2, exact_log2

from hw.arch.config import Config
from hw.base.block import Block
from hw.base.memory import SinglePortRam
from hw.glb.ports import act_write_layout, psum_write_layout, read_port


class GlobalBuffer(Block):
    """`buffer.banks` single-port banks shared by activations and psums.

    Four requests a cycle, or five, granted in this order where they want the same bank: psum write,
    psum read, activation write, activation read, filter read. A psum beat takes `banks_per_beat`
    neighbouring banks; see docs/architecture.md for the address maps. Read data appears in the next
    cycle only.

    Timing
    ------
    A read waits for a write to its bank, which has one port; the word comes in the cycle after.

        cycle                      0   1   2   3   4   5
        act_write.valid            1   1   0   0   0   0
        act_write.payload.addr     3   4   .   .   .   .
        act_write.payload.data     7   8   .   .   .   .
        act_write.ready            1   1   1   1   1   1
        act_read.request.valid     0   1   1   1   1   0
        act_read.request.payload   .   3   3   4  33   .
        act_read.request.ready     0   0   1   1   1   1
        act_read.data              .   .   .   7   8   .

    Members
    -------
    psum_write : in, stream of psum_write_layout(config)
        Writes of psum beats.
    act_write : in, stream of act_write_layout(config)
        Writes of buffer words.
    psum_read : in, read_port(config.banks_per_beat * config.buffer.width)
        Reads of psum beats.
    act_read : in, read_port(config.buffer.width)
        Reads of buffer words.
    filter_read : in, read_port(config.buffer.width), if config.buffer.filters
        Reads of buffer words that hold filters.
    """

    def __init__(self, config: Config):
        filters = {"filter_read": In(read_port(config.buffer.width))}
        super().__init__(
            {
                "psum_write": In(stream.Signature(psum_write_layout(config))),
                "act_write": In(stream.Signature(act_write_layout(config))),
                "psum_read": In(read_port(config.banks_per_beat * config.buffer.width)),
                "act_read": In(read_port(config.buffer.width)),
                **(filters if config.buffer.filters else {}),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wanted = {
            "psum_write": self._psum_banks(self.psum_write.payload.addr),
            "psum_read": self._psum_banks(self.psum_read.request.payload),
            "act_write": self._act_bank(self.act_write.payload.addr),
            "act_read": self._act_bank(self.act_read.request.payload),
        }
        valid = {
            "psum_write": self.psum_write.valid,
            "psum_read": self.psum_read.request.valid,
            "act_write": self.act_write.valid,
            "act_read": self.act_read.request.valid,
        }
        if self.config.buffer.filters:
            wanted["filter_read"] = self._act_bank(self.filter_read.request.payload)
            valid["filter_read"] = self.filter_read.request.valid
        grant = self._arbitrate(m, wanted, valid)
        if self.config.buffer.filters:
            m.d.comb += self.filter_read.request.ready.eq(grant["filter_read"])
        m.d.comb += [
            self.psum_write.ready.eq(grant["psum_write"]),
            self.psum_read.request.ready.eq(grant["psum_read"]),
            self.act_write.ready.eq(grant["act_write"]),
            self.act_read.request.ready.eq(grant["act_read"]),
        ]
        outputs = [self._bank(m, i, wanted, valid, grant) for i in range(self.banks)]
        self._answer(m, wanted, outputs)
        return m

    @property
    def banks(self) -> int:
        """Number of banks."""
        return self.config.buffer.banks

    def _act_reads(self) -> dict:
        """The ports that read single words."""
        filters = {"filter": self.filter_read} if self.config.buffer.filters else {}
        return {"act": self.act_read, **filters}

    def _row_bits(self) -> int:
        return exact_log2(self.config.buffer.depth)

    def _act_bank(self, address):
        """(one-hot set of banks, row) of an activation word."""
        reach = self.config.act_banks
        bank = address[self._row_bits() : self._row_bits() + ceil_log2(max(reach, 2))]
        return (
            [bank == i if i < reach else 0 for i in range(self.banks)],
            address[: self._row_bits()],
        )

    def _psum_banks(self, address):
        """(set of banks, row) of a psum beat: groups of 2k banks from the top, parity first."""
        k = self.config.banks_per_beat
        groups = self.config.psum_groups
        first_bit = 1 + self._row_bits()
        group = address[first_bit : first_bit + ceil_log2(max(groups, 2))]
        chosen: list = [0] * self.banks
        for g in range(groups):
            for parity in range(2):
                first = self.banks - 2 * k * (g + 1) + k * parity
                for i in range(k):
                    chosen[first + i] = (group == g) & (address[0] == parity)
        return chosen, address[1 : 1 + self._row_bits()]

    def _arbitrate(self, m: Module, wanted: dict, valid: dict) -> dict:
        """A request is granted unless an earlier one that asks now wants one of its banks.

        Ready does not depend on the request's own valid.
        """
        grant = {}
        for position, name in enumerate(wanted):
            conflicts = []
            for other in list(wanted)[:position]:
                overlap = [a & b for a, b in zip(wanted[name][0], wanted[other][0], strict=True)]
                conflicts.append(valid[other] & Cat(overlap).any())
            granted = Signal(name=f"grant_{name}")
            m.d.comb += granted.eq(~Cat(conflicts).any() if conflicts else 1)
            grant[name] = granted
        return grant

    def _bank(self, m: Module, index: int, wanted, valid, grant):
        config = self.config
        ram = SinglePortRam(
            width=config.buffer.width, depth=config.buffer.depth, lane_width=config.array.data_width
        )
        m.submodules[f"bank_{index}"] = ram
        k = config.banks_per_beat
        part = (index - (config.buffer.banks - 2 * k * config.psum_groups)) % k
        takes = {}
        for name, (banks, _row) in wanted.items():
            take = Signal(name=f"{name}_{index}")
            m.d.comb += take.eq(valid[name] & grant[name] & banks[index])
            takes[name] = take
        m.d.comb += ram.en.eq(Cat(takes.values()).any())
        # At most one port takes a bank, so the order is of no account.
        for name in reversed(list(wanted)):
            with m.If(takes[name]):
                m.d.comb += ram.addr.eq(wanted[name][1])
        psum_data = self.psum_write.payload.data.word_select(part, config.buffer.width)
        m.d.comb += [
            ram.wdata.eq(Mux(takes["psum_write"], psum_data, self.act_write.payload.data)),
            ram.we.eq(
                Mux(
                    takes["psum_write"],
                    ~0,
                    Mux(takes["act_write"], self.act_write.payload.mask, 0),
                )
            ),
        ]
        return ram.rdata

    def _answer(self, m: Module, wanted: dict, outputs: list) -> None:
        """Steer the banks' data back to the ports, by the bank asked for the cycle before."""
        k = self.config.banks_per_beat
        width = self.config.buffer.width
        act_banks = [i for i in range(self.banks) if i < self.config.act_banks]
        for name, port in self._act_reads().items():
            chosen = Signal(range(max(len(act_banks), 2)), name=f"{name}_chosen")
            # No enable is needed: an answer is looked at in the one cycle after its grant.
            m.d.sync += chosen.eq(port.request.payload >> self._row_bits())
            m.d.comb += port.data.eq(Array(outputs[i] for i in act_banks)[chosen])

        pairs = 2 * self.config.psum_groups
        psum_chosen = Signal(range(pairs))
        address = self.psum_read.request.payload
        m.d.sync += psum_chosen.eq(
            Cat(address[0], (address[1:] >> self._row_bits())[: len(psum_chosen) - 1])
        )
        beats = []
        for pair in range(pairs):
            group, parity = pair // 2, pair % 2
            first = self.banks - 2 * k * (group + 1) + k * parity
            beats.append(Cat(outputs[first : first + k]))
        psum_data = Array(beats)[psum_chosen]
        m.d.comb += self.psum_read.data.eq(psum_data[: k * width])
