"""The pipeline of a PE: from multiply steps to psums that leave, whatever chooses the steps."""

from abc import abstractmethod
from dataclasses import dataclass, fields

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import connect, flipped

from hw.base.block import inlined
from hw.base.queue import Queue
from hw.pe.adder import GatedAdder
from hw.pe.layouts import ChainWord, IfmapBeat, PsumWord
from hw.pe.pe import PE
from hw.pe.walk import MultiplyStep


@dataclass(frozen=True)
class Issue:
    """What the front of a PE has for the pipeline in a cycle.

    ready : there is a step; step : which (a `MultiplyStep`, but for `zero`)
    zero : its activation stands for zero; word : its operand
    weights : those that the filter scratchpad shows a cycle after the step
    """

    ready: Value
    step: data.View
    zero: Value
    word: Value
    weights: data.View


class PipelinePE(PE):
    """A PE that issues up to one multiply step a cycle: a front chooses them, all else is here.

    Pipeline: issue and scratchpad read; (`control.pipeline`: a register after the scratchpads;)
    multiply; (16-bit data: shift;) accumulate. Only the accumulate stage waits for psums, and it
    freezes the stages before it. In the last round of a window each psum is added to the one that
    comes up the chain (or from the buffer) and leaves; the next window's first round overwrites its
    slot. Where the activation stands for zero, a step leaves its slot alone, neither read nor
    written, unless it begins the sum or sends it.
    """

    @abstractmethod
    def _front(self, m: Module, beats: Queue, advance: Signal, issue: Signal) -> Issue:
        """Builds what chooses steps; drives `starved_ifmap` and `starved_filter`.

        beats : queue of the ifmap network's beats; advance : the pipeline moves
        issue : the step on offer enters the pipeline
        """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.parameters
        m.submodules.ifmap_queue = queue = inlined(
            Queue(IfmapBeat(config), depth=config.pe.ifmap_fifo)
        )
        connect(m, flipped(self.ifmap), queue.input)
        advance, issue = Signal(), Signal()  # the pipeline moves; it takes the step on offer
        front = self._front(m, queue, advance, issue)
        m.submodules.output_queue = output = inlined(
            Queue(ChainWord(config), depth=config.pe.psum_fifo)
        )
        connect(m, output.output, flipped(self.output))
        m.d.comb += issue.eq(front.ready & advance)
        issued = _Fetched(issue, front.step, front.word, front.weights)
        fetched = self._fetch(m, issued, advance, front.zero)
        before, multiplied = self._multiply(m, fetched, advance)
        needs = self._needs(m, before, advance)
        self._accumulate(m, multiplied, needs, advance, output)
        return m

    def _fetch(self, m: Module, issued: "_Fetched", advance: Signal, zero: Value) -> "_Fetched":
        """What stands in front of the multiplier.

        Where the activation stands for zero, neither scratchpad's word moves on: nothing toggles
        in the multiplier. With `control.pipeline` all of it comes out of registers, because block
        RAMs are slow, and lie far from multipliers.
        """
        config = self.parameters
        valid = Signal()
        held = Signal(MultiplyStep(config), reset_less=True)
        word = Signal(signed(config.operand_width), reset_less=True)
        with m.If(advance):
            m.d.sync += valid.eq(issued.valid)
            with m.If(issued.valid):
                m.d.sync += [held.eq(issued.step), held.zero.eq(zero)]
                with m.If(~zero):
                    m.d.sync += word.eq(issued.word)
        read = _Fetched(valid, held, word, issued.weights)
        if not config.control.pipeline:
            return read
        fetched = _Fetched(
            **{
                field.name: Signal.like(
                    getattr(read, field.name), name=f"fetched_{i}", reset_less=i > 0
                )
                for i, field in enumerate(fields(read))
            }
        )
        with m.If(advance):
            m.d.sync += [
                getattr(fetched, field.name).eq(getattr(read, field.name)) for field in fields(read)
            ]
        return fetched

    def _multiply(
        self, m: Module, fetched: "_Fetched", advance: Signal
    ) -> tuple["_Stage", "_Multiplied"]:
        """The last stage, in which 16-bit products are shifted, after the one before it."""
        config = self.parameters
        width = config.operand_width + config.weight_width
        shape = data.ArrayLayout(signed(width), config.pe.macs)
        products = Signal(shape, reset_less=True)
        valid = Signal(name="multiplied")
        step = Signal(MultiplyStep(config), name="done", reset_less=True)
        with m.If(advance):
            m.d.sync += valid.eq(fetched.valid)
            with m.If(fetched.valid & ~fetched.step.zero):
                m.d.sync += Cat(products).eq(self._products(m, fetched.word, fetched.weights))
            self._hand_on(m, fetched, step)
        multiplied = _Multiplied(valid, step, products)
        if config.array.data_width == 8:
            return fetched, multiplied
        shifted = Signal(shape, reset_less=True)
        shifted_valid = Signal()
        shifted_step = Signal(MultiplyStep(config), name="shifted_operation", reset_less=True)
        with m.If(advance):
            m.d.sync += shifted_valid.eq(valid)
            for k in range(config.pe.macs):
                m.d.sync += shifted[k].eq(products[k] >> step.window_shift)
            self._hand_on(m, multiplied, shifted_step)
        return multiplied, _Multiplied(shifted_valid, shifted_step, shifted)

    @staticmethod
    def _hand_on(m: Module, stage: "_Stage", following: data.View) -> None:
        """A step goes to the next stage; the slot stands still for one that leaves the psums alone.

        The psum scratchpad is addressed by it, and nothing toggles there then.
        """
        step = stage.step
        m.d.sync += [following[name].eq(step[name]) for name, _ in step.shape() if name != "slot"]
        with m.If(stage.valid & (_reads_psum(step) | _writes_psum(step))):
            m.d.sync += following.slot.eq(step.slot)

    def _needs(self, m: Module, before: "_Stage", advance: Signal) -> "_Needs":
        """What the last stage will need of its neighbours, from the stage before it.

        Registered, so that a PE's handshakes with its neighbours begin at registers: up a column
        they are chained.
        """
        needs = _Needs(*(Signal(name=name) for name in ("sends", "takes_below", "takes_column")))
        with m.If(advance):
            finishing = before.valid & before.step.last
            m.d.sync += [
                needs.room.eq(finishing),
                needs.below.eq(finishing & ~before.step.head),
                needs.column.eq(finishing & before.step.head & ~before.step.zero_start),
            ]
        return needs

    def _products(self, m: Module, word: Signal, weights):
        """The products of one operand; two 8-bit weights share one 25 x 18 multiplier.

        (w1 · 2^16 + w0) · x holds w0 · x in its low 16 bits, and w1 · x above them, less one where
        w0 · x is negative. A stored activation less its zero point is -255 … 255, so a product has
        16 bits; one bit more between the weights would not leave room for w1 = -128 in 25 bits.
        """
        config = self.parameters
        if config.pe.macs == 1 or config.array.data_width == 16 or config.pe.weight_zero_points:
            return Cat(
                (word * weights[k])[: config.operand_width + config.weight_width]
                for k in range(config.pe.macs)
            )
        packed = Signal(signed(25))
        both = Signal(signed(25 + config.operand_width))
        m.d.comb += [
            packed.eq((weights[1] << 16) + weights[0]),
            both.eq(packed * word),
        ]
        return Cat(both[:16], both[15], (both[16:33] + both[15])[:17])

    def _accumulate(
        self, m: Module, last: "_Multiplied", needs: "_Needs", advance: Signal, output: Queue
    ) -> None:
        """Add to the psum slot or, in a window's last round, to the chain and send."""
        config = self.parameters
        step = last.step
        slots = max(config.pe.psum_spad // config.pe.macs, 2)
        m.submodules.psum_spad = spad = Memory(shape=PsumWord(config), depth=slots, init=[])
        read, write = spad.read_port(domain="comb"), spad.write_port()
        arriving = Signal(PsumWord(config))
        have = Signal()
        below = self.below.valid & ~self.below.payload.tail
        m.d.comb += [
            # Psums and room alone hold the pipeline, through one enable for all of its stages.
            have.eq(~((needs.below & ~below) | (needs.column & ~self.column.valid))),
            advance.eq(have & ~(needs.room & ~output.input.ready)),
            self.below.ready.eq(needs.below & output.input.ready),
            self.column.ready.eq(needs.column & output.input.ready),
            output.input.valid.eq(needs.room & have),
            output.input.payload.tail.eq(step.tail),
            read.addr.eq(step.slot),
            write.addr.eq(step.slot),
            # Without `advance`, which comes late: only a step that sends can be held, and it does
            # not write.
            write.en.eq(last.valid & _writes_psum(step)),
            self.fired.eq(last.valid & advance & ~step.zero),
            self.gated.eq(last.valid & advance & step.zero),
            self.blocked_in.eq(needs.room & ~have),
            self.blocked_out.eq(needs.room & have & ~output.input.ready),
        ]
        if config.control.access_counters:
            sends = output.input.valid & output.input.ready
            m.d.comb += [
                self.psum_spad_reads.eq(last.valid & advance & _reads_psum(step)),
                self.psum_spad_writes.eq(write.en),
                self.psum_hops.eq(sends & needs.below),
                self.psums_fed.eq(sends & needs.column),
                self.psums_collected.eq(sends & step.tail),
            ]
        for k in range(config.pe.macs):
            sent = output.input.payload.psums[k]
            m.submodules[f"adder_{k}"] = adder = GatedAdder(width=config.array.psum_width)
            m.d.comb += [
                adder.held.eq(read.data[k]),
                adder.term.eq(Mux(step.zero, 0, last.products[k])),
                adder.clear.eq(step.first),
                write.data[k].eq(adder.total),
                sent.eq(adder.total + arriving[k]),
                arriving[k].eq(
                    Mux(
                        needs.below,
                        self.below.payload.psums[k],
                        Mux(needs.column, self.column.payload[k], 0),
                    )
                ),
            ]


def _reads_psum(step: data.View) -> Value:
    """A step needs what its slot holds: to add a product to it, or to send it."""
    return ~step.first & (step.last | ~step.zero)


def _writes_psum(step: data.View) -> Value:
    """A step changes its slot: with the first term of a sum, even if that is zero, or a product."""
    return ~step.last & (step.first | ~step.zero)


@dataclass(frozen=True)
class _Stage:
    """A stage of the pipeline: whether it holds a step, and which (a `MultiplyStep`)."""

    valid: Signal
    step: data.View


@dataclass(frozen=True)
class _Fetched(_Stage):
    """Both factors: an operand, and a weight for each multiplier."""

    word: Value
    weights: data.View


@dataclass(frozen=True)
class _Multiplied(_Stage):
    """A product for each multiplier; what it was before, where the step's activation is zero."""

    products: data.View


@dataclass(frozen=True)
class _Needs:
    """What the step in the last stage needs before it may go.

    `room`: room for a word in the output, as every step does that finishes a psum; `below`: a psum
    of the PE below; `column`: one of the column. At most one of the two, and none without `room`.
    """

    room: Signal
    below: Signal
    column: Signal
