"""The dense PE: a 1-D convolution primitive with three scratchpads, a cycle for every product."""

from amaranth.hdl import Cat, Module, Mux, Signal, ValueLike, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import connect, flipped

from hw.arch.config import Config
from hw.base.block import inlined
from hw.base.queue import Queue
from hw.pe.adder import GatedAdder
from hw.pe.filter_spad import FilterSpad
from hw.pe.ifmap_spad import IfmapSpad
from hw.pe.layouts import ChainWord, IfmapBeat, PsumWord
from hw.pe.passes import DensePass, pass_constants
from hw.pe.pe import PE
from hw.pe.walk import MultiplyStep, WindowWalk


class DensePE(PE):
    """Multiplies a filter row by an ifmap row and adds the psums of the PE below.

    Each cycle a PE that lacks nothing issues one multiply step: `pe.macs` products of one ifmap
    word with the next filters. Steps run over filters, ifmap words of the window (tap-major), and
    windows. In the last round of a window each psum is added to the one that comes up the chain (or
    from the buffer) and leaves; the next window's first round overwrites its slot. Passes follow
    each other without a bubble when filters and ifmaps are there; with `control.pipeline` a PE
    rests a cycle between them.

    Pipeline: issue and scratchpad read; (`control.pipeline`: a register after the scratchpads;)
    multiply; (16-bit data: shift;) accumulate. Only the accumulate stage waits for psums, and it
    freezes the stages before it.
    """

    @classmethod
    def pass_config(cls, config: Config) -> DensePass:
        """`DensePass`, of which the walk makes its counters."""
        return DensePass(config)

    @classmethod
    def pass_constants(cls, config: Config, constants: data.View) -> dict[str, ValueLike]:
        """Ends and counts of the walk."""
        return pass_constants(config, constants)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.parameters
        m.submodules.ifmap_queue = queue = inlined(
            Queue(IfmapBeat(config), depth=config.pe.ifmap_fifo)
        )
        m.submodules.ifmap_spad = ifmap = IfmapSpad(config)
        m.submodules.filter_spad = filters = FilterSpad(config)
        m.submodules.walk = walk = WindowWalk(config)
        m.submodules.output_queue = output = inlined(
            Queue(ChainWord(config), depth=config.pe.psum_fifo)
        )
        connect(m, flipped(self.ifmap), queue.input)
        connect(m, queue.output, ifmap.beats)
        connect(m, flipped(self.filters), filters.beats)
        connect(m, output.output, flipped(self.output))
        m.d.comb += [
            walk.config.eq(self.config),
            walk.config_pass.eq(self.config_pass),
            self.started.eq(walk.started),
            self.running.eq(walk.running),
        ]

        advance = Signal()  # the pipeline moves
        issue = Signal()
        zero = Signal()
        m.d.comb += [
            issue.eq(walk.running & ifmap.available & filters.loaded & advance),
            zero.eq((ifmap.word == 0) & int(config.pe.zero_gating)),
            walk.step.eq(issue),
            ifmap.step.eq(issue & walk.word_done),
            ifmap.free.eq(walk.word_free),
            ifmap.rewind.eq(walk.window_done),
            filters.step.eq(issue),
            filters.rewind.eq(walk.window_done),
            filters.release.eq(walk.pass_done),
            filters.enable.eq(issue & ~zero),
        ]
        before, products = self._multiply(m, issue, advance, zero, walk.operation, ifmap, filters)
        waits = self._waits(m, advance, *before)
        self._accumulate(m, advance, waits, products, output)
        m.d.comb += [
            self.starved_ifmap.eq(walk.running & ~ifmap.available & advance),
            self.starved_filter.eq(walk.running & ~filters.loaded & ifmap.available & advance),
        ]
        return m

    def _multiply(self, m, issue, advance, zero, operation, ifmap, filters):
        """Stages up to the (shifted) products.

        Returns (valid, operation) of the last stage but one, (valid, operation, products) of the
        last.
        """
        config = self.parameters
        width = config.operand_width + config.weight_width
        product = data.ArrayLayout(signed(width), config.pe.macs)
        valid, held, word, weights = self._fetch(m, issue, advance, zero, operation, ifmap, filters)
        products = Signal(product, reset_less=True)
        multiplied = Signal()
        done = Signal(MultiplyStep(config), reset_less=True)
        with m.If(advance):
            m.d.sync += [multiplied.eq(valid), done.eq(held)]
            with m.If(valid & ~held.zero):
                m.d.sync += Cat(products).eq(self._products(m, word, weights))
        if config.array.data_width == 8:
            return (valid, held), (multiplied, done, products)
        shifted = Signal(product, reset_less=True)
        shifted_valid = Signal()
        shifted_operation = Signal(MultiplyStep(config), reset_less=True)
        with m.If(advance):
            m.d.sync += [shifted_valid.eq(multiplied), shifted_operation.eq(done)]
            for k in range(config.pe.macs):
                m.d.sync += shifted[k].eq(products[k] >> done.window_shift)
        return (multiplied, done), (shifted_valid, shifted_operation, shifted)

    def _fetch(self, m, issue, advance, zero, operation, ifmap, filters):
        """(valid, operation, ifmap word, weights) in front of the multiplier.

        With `control.pipeline` in registers: block RAMs are slow, and lie far from multipliers.
        """
        config = self.parameters
        valid = Signal()
        held = Signal(MultiplyStep(config), reset_less=True)
        word = Signal(signed(config.operand_width), reset_less=True)
        with m.If(advance):
            m.d.sync += valid.eq(issue)
            with m.If(issue):
                m.d.sync += [held.eq(operation), held.zero.eq(zero)]
                with m.If(~zero):
                    m.d.sync += word.eq(ifmap.word)
        read = (valid, held, word, filters.weights)
        if not config.control.pipeline:
            return read
        fetched = tuple(
            Signal.like(signal, name=f"fetched_{i}", reset_less=i > 0)
            for i, signal in enumerate(read)
        )
        with m.If(advance):
            m.d.sync += [late.eq(early) for late, early in zip(fetched, read, strict=True)]
        return fetched

    def _waits(self, m: Module, advance: Signal, valid, operation):
        """What the last stage will need of its neighbours, registered: (it sends, it takes a psum
        of the PE below, it takes one of the column)."""
        sends, below, column = (Signal(name=n) for n in ("sends", "takes_below", "takes_column"))
        with m.If(advance):
            finishing = valid & operation.last
            m.d.sync += [
                sends.eq(finishing),
                below.eq(finishing & ~operation.head),
                column.eq(finishing & operation.head & ~operation.zero_start),
            ]
        return sends, below, column

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

    def _accumulate(self, m: Module, advance: Signal, waits, products, output: Queue) -> None:
        """Add to the psum slot or, in a window's last round, to the chain and send."""
        config = self.parameters
        valid, operation, product = products
        slots = max(config.pe.psum_spad // config.pe.macs, 2)
        m.submodules.psum_spad = spad = Memory(shape=PsumWord(config), depth=slots, init=[])
        read, write = spad.read_port(domain="comb"), spad.write_port()
        finishing, takes_below, takes_column = waits
        arriving = Signal(PsumWord(config))
        have = Signal()
        below = self.below.valid & ~self.below.payload.tail
        m.d.comb += [
            have.eq(~((takes_below & ~below) | (takes_column & ~self.column.valid))),
            advance.eq(have & ~(finishing & ~output.input.ready)),
            self.below.ready.eq(takes_below & output.input.ready),
            self.column.ready.eq(takes_column & output.input.ready),
            output.input.valid.eq(finishing & have),
            output.input.payload.tail.eq(operation.tail),
            read.addr.eq(operation.slot),
            write.addr.eq(operation.slot),
            write.en.eq(valid & ~operation.last),
            self.fired.eq(valid & advance & ~operation.zero),
            self.gated.eq(valid & advance & operation.zero),
            self.blocked_in.eq(finishing & ~have),
            self.blocked_out.eq(finishing & have & ~output.input.ready),
        ]
        for k in range(config.pe.macs):
            sent = output.input.payload.psums[k]
            m.submodules[f"adder_{k}"] = adder = GatedAdder(width=config.array.psum_width)
            m.d.comb += [
                adder.held.eq(read.data[k]),
                adder.term.eq(Mux(operation.zero, 0, product[k])),
                adder.clear.eq(operation.first),
                write.data[k].eq(adder.total),
                sent.eq(adder.total + arriving[k]),
                arriving[k].eq(
                    Mux(
                        takes_below,
                        self.below.payload.psums[k],
                        Mux(takes_column, self.column.payload[k], 0),
                    )
                ),
            ]
