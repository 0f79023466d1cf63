"""Everything after the command decoder: sequencer, engines, array, buffer, post-processing."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, connect, flipped
from amaranth.utils import bits_for, exact_log2

from hw.arch.accesses import counter_block
from hw.arch.config import LINK_WORD_BITS, Config
from hw.array.array import ActivityCount
from hw.array.tables import fill_constants
from hw.base.block import Block
from hw.base.deep_queue import DeepQueue
from hw.base.queue import Queue
from hw.control.counters import Counters
from hw.control.port import control_port
from hw.engines.weights import WeightMemory, weight_words
from hw.glb.arbiter import ReadArbiter, WriteArbiter
from hw.glb.ports import act_write_layout
from hw.pe.kinds import pe_kind
from hw.top.accesses import access_events, fires
from hw.top.parts import EngineParts
from hw.vector.reader import REQUEST

WEIGHT_BYTES = LINK_WORD_BITS // 8


class Engine(Block):
    """The data path of docs/architecture.md.

    Members
    -------
    control : in, control_port(config)
        The decoder's port.
    """

    def __init__(self, config: Config):
        super().__init__({"control": In(control_port(config))})
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        parts = EngineParts(m, self.config)
        self._sequence(m, parts)
        self._payloads(m, parts)
        self._weights(m, parts)
        self._buffer(m, parts)
        self._post(m, parts)
        self._tables(m, parts)
        self._count(m, parts)
        return m

    def _sequence(self, m: Module, p: EngineParts) -> None:
        """Who is in which pass, and when all is quiet."""
        control, sequencer = self.control, p.sequencer
        connect(m, flipped(control.descriptor), sequencer.descriptor)
        connect(m, flipped(control.rows), sequencer.rows)
        connect(m, flipped(control.cols), sequencer.cols)
        post_busy = p.post.busy | p.writer.items.valid
        m.d.comb += [
            sequencer.start.eq(control.start_conv),
            sequencer.done.filters.eq(p.filters.done),
            sequencer.done.ifmaps.eq(p.ifmaps.done),
            sequencer.done.psum_reader.eq(p.reader.done),
            sequencer.done.psum_writer.eq(p.writer.done),
            sequencer.begun.eq(p.array.begun),
            sequencer.settled.eq(p.array.settled),
            p.array.issued.eq(sequencer.issued),
            p.writer.post_idle.eq(~p.post.busy),
            p.reader.written_pass.eq(p.writer.done),
            p.reader.written_window.eq(p.writer.written_window),
            p.ifmaps.quiet.eq((p.writer.done == p.ifmaps.done) & ~post_busy & ~p.vector.busy),
            control.walk_idle.eq(sequencer.idle),
            control.conv_ready.eq(sequencer.ready),
        ]
        # The decoder does not ask within two cycles after it has begun something.
        m.d["sync" if self.config.control.pipeline else "comb"] += control.quiet.eq(
            sequencer.idle & (p.writer.done == sequencer.issued) & ~post_busy & ~p.vector.busy
        )
        self._count_commands(m, p)
        for engine in (p.filters, p.ifmaps, p.reader, p.writer):
            m.d.comb += [
                engine.tables.eq(sequencer.tables),
                engine.issued.eq(sequencer.issued),
            ]
        m.d.comb += [
            sequencer.slot.bank.eq(p.ifmaps.slot_bank),
            sequencer.slot.index.eq(p.ifmaps.slot_index),
            p.ifmaps.slot.eq(sequencer.slot.data),
        ]
        for engine, segment, column in (
            (p.reader, sequencer.segment_in, sequencer.column_in),
            (p.writer, sequencer.segment_out, sequencer.column_out),
        ):
            m.d.comb += [
                segment.bank.eq(engine.bank),
                segment.index.eq(engine.segment_index),
                engine.segment.eq(segment.data),
                column.bank.eq(engine.bank),
                column.index.eq(engine.column_index),
                engine.column.eq(column.data),
            ]

    def _count_commands(self, m: Module, p: EngineParts) -> None:
        """CONV commands that have begun and not written all results: four at the most.

        One waits for the walk of another to end, and two passes are under way beside it.
        """
        pending = Signal(3)
        m.d.comb += self.control.unfinished.eq(pending)
        m.d.sync += pending.eq(pending + self.control.start_conv - p.writer.closed)

    def _payloads(self, m: Module, p: EngineParts) -> None:
        """Boxes and filters, which may come as codes."""
        control, payloads = self.control, p.payloads
        connect(m, flipped(control.load_words), payloads.load_code)
        connect(m, flipped(control.filters), payloads.filter_code)
        m.d.comb += [
            payloads.load.eq(control.load),
            payloads.conv.eq(control.start_conv),
            payloads.coded.eq(control.region.coded),
            payloads.decoded.eq(control.decoded),
            payloads.filling.eq(p.loader.busy),
            payloads.last.eq(control.payload_last),
            control.bad_code.eq(payloads.bad),
        ]

    def _weights(self, m: Module, p: EngineParts) -> None:
        """Filters come from the stream through the prefetch FIFO, or from a memory."""
        prefetch = DeepQueue(
            width=LINK_WORD_BITS, depth=self.config.buffer.filter_prefetch // WEIGHT_BYTES
        )
        m.submodules.prefetch = prefetch
        connect(m, p.payloads.filter_words, prefetch.input)
        m.d.comb += self.control.surplus.eq(prefetch.output.valid)
        sources = []  # those in place of the stream, each with the signal that says so
        depth = weight_words(self.config)
        if depth:
            m.submodules.weight_memory = memory = WeightMemory(depth=depth)
            connect(m, flipped(self.control.memory), memory.write)
            m.d.comb += [
                memory.seek.eq(p.filters.seek & p.filters.resident),
                memory.address.eq(p.filters.address),
            ]
            sources.append((p.filters.resident, memory.words))
        if p.filter_reader is not None:
            m.d.comb += [
                p.filter_reader.seek.eq(p.filters.seek & p.filters.buffered),
                p.filter_reader.walk.eq(p.filters.walk),
                p.filter_reader.extent.eq(p.filters.extent),
                p.filter_reader.last.eq(p.filters.last),
            ]
            sources.append((p.filters.buffered, p.filter_reader.words))
        words = p.filters.words
        m.d.comb += [
            words.payload.eq(prefetch.output.payload),
            words.valid.eq(prefetch.output.valid),
            prefetch.output.ready.eq(words.ready),
        ]
        for chosen, source in sources:
            with m.If(chosen):
                m.d.comb += [
                    words.payload.eq(source.payload),
                    words.valid.eq(source.valid),
                    prefetch.output.ready.eq(0),
                    source.ready.eq(words.ready),
                ]
        connect(m, p.filters.beats, p.array.filters)
        connect(m, p.ifmaps.beats, p.array.ifmap)
        for col in range(self.config.array.cols):
            connect(m, p.reader.columns[col], p.array.psums_in[col])
            connect(m, p.array.psums_out[col], p.writer.columns[col])

    def _buffer(self, m: Module, p: EngineParts) -> None:
        """Who reads and writes the global buffer."""
        config = self.config
        # Filters have a port of their own, which yields where another wants the same bank: ifmaps,
        # psums and results are of the pass under way, filters of the next one. They do not starve.
        # PEs that wait for filters take no ifmaps and make no psums, so that the few requests that
        # may be under way are soon answered, and the bank is free.
        if p.filter_reader is not None:
            connect(m, p.filter_reader.port, p.buffer.filter_read)
        reads = ReadArbiter(clients=3, width=config.buffer.width)
        writes = WriteArbiter(act_write_layout(config))
        m.submodules.read_arbiter = reads
        m.submodules.write_arbiter = writes
        connect(m, reads.port, p.buffer.act_read)
        connect(m, writes.port, p.buffer.act_write)
        first, vector, last = reads.clients
        connect(m, p.ifmaps.port, first)
        connect(m, p.storer.port, last)
        connect(m, p.post.writes, writes.first)
        connect(m, p.loader.write, writes.second)
        m.d.comb += writes.patient.eq(self.control.region.patient)
        connect(m, p.reader.port, p.buffer.psum_read)
        connect(m, p.writer.psums, p.buffer.psum_write)
        asked = self._vector_requests(m, p)
        granted = Signal()
        m.d.comb += [
            vector.request.valid.eq(asked.valid),
            vector.request.payload.eq(asked.payload.addr),
            asked.ready.eq(vector.request.ready),
            p.vector.responses.valid.eq(granted),
            p.vector.responses.payload.data.eq(vector.data),
        ]
        # The arbiter shows all clients the buffer's word; this one's is that of the cycle after.
        m.d.sync += granted.eq(vector.request.valid & vector.request.ready)
        self._boxes(m, p)

    def _vector_requests(self, m: Module, p: EngineParts) -> stream.Interface:
        """The vector engine's reads, with `control.pipeline` out of a queue of two."""
        if not self.config.control.pipeline:
            return p.vector.requests
        m.submodules.vector_requests = queue = Queue(REQUEST, depth=2)
        connect(m, p.vector.requests, queue.input)
        return queue.output

    def _boxes(self, m: Module, p: EngineParts) -> None:
        """LOAD and STORE."""
        control, loader, storer = self.control, p.loader, p.storer
        connect(m, p.payloads.load_words, loader.payload)
        connect(m, storer.result, flipped(control.block))
        m.d.comb += [
            loader.region.eq(control.region),
            loader.start.eq(control.load),
            control.loading.eq(loader.busy | p.payloads.busy),
            Cat(control.overrun, control.address).eq(Cat(loader.overrun, loader.address)),
            storer.region.eq(control.region),
            storer.tag.eq(control.tag),
            storer.code.eq(control.code),
            storer.start.eq(control.store),
            control.storing.eq(storer.busy),
            Cat(control.store_failed, control.store_status).eq(Cat(storer.failed, storer.status)),
            control.store_value.eq(storer.value),
        ]

    def _post(self, m: Module, p: EngineParts) -> None:
        """Array and vector engine share the post-processor; they are never busy together."""
        config, control = self.config, self.control
        units = exact_log2(config.post.units)
        items = p.post.items
        m.d.comb += [
            p.vector.descriptor.eq(control.vector),
            p.vector.start.eq(control.start_vector),
            p.vector.bank.eq(0),
            control.vector_busy.eq(p.vector.busy),
            items.valid.eq(p.writer.items.valid | p.vector.items.valid),
            items.payload.eq(
                Mux(
                    p.vector.items.valid,
                    p.vector.items.payload.as_value(),
                    p.writer.items.payload.as_value(),
                )
            ),
            p.vector.items.ready.eq(items.ready),
            # They are never busy together, so nobody waits here; it only keeps both from being
            # taken.
            p.writer.items.ready.eq(items.ready & ~p.vector.items.valid),
            p.post.params.en.eq(control.params.en),
            p.post.params.row.eq(control.params.channel >> units),
            p.post.params.unit.eq(control.params.channel[:units] if units else 0),
            p.post.params.data.eq(control.params.data),
        ]
        if config.array.data_width == 8:
            m.d.comb += [
                p.vector.table.en.eq(control.table.en),
                p.vector.table.index.eq(control.table.index),
                p.vector.table.entry.as_value().eq(control.table.data),
            ]
        # A VECTOR has no pass table: until its last item has been written, its descriptor stands in
        # for both.
        vector_active = Signal()
        m.d.sync += vector_active.eq(
            p.vector.busy | control.start_vector | (vector_active & p.post.busy)
        )
        for bank in range(2):
            constants = p.sequencer.tables[bank].constants
            self._output_config(m, p.post.cfg[bank], constants)
            with m.If(vector_active):
                self._output_config(m, p.post.cfg[bank], control.vector)

    @staticmethod
    def _output_config(m: Module, target, source) -> None:
        m.d.comb += [
            target.plane.eq(source.plane),
            target.lane.mode.eq(source.mode),
            target.lane.zero_point.eq(source.zero_point),
            target.lane.low.eq(source.low),
            target.lane.high.eq(source.high),
        ]

    def _tables(self, m: Module, p: EngineParts) -> None:
        """What the array sees of the pass tables."""
        for bank in range(2):
            source, target = p.sequencer.tables[bank], p.array.tables[bank]
            m.d.comb += [
                target.rows.eq(source.rows),
                target.cols.eq(source.cols),
                target.zero.eq(source.first),
                target.release.eq(source.release),
            ]
            fill_constants(m, self.config, target, source.constants)

    def _count(self, m: Module, p: EngineParts) -> None:
        """What the counters count; see `counter_block`."""
        config, control = self.config, self.control
        kind, activity = pe_kind(config), p.array.activity
        of_pes = kind.counted(config, activity)
        events = {
            "cycles": 1,
            **of_pes,
            "glb_ifmap_words": fires(p.ifmaps.port.request),
            "glb_psum_read_beats": fires(p.reader.port.request),
            "glb_psum_write_beats": fires(p.writer.psums),
            "glb_act_write_words": fires(p.post.writes),
            "link_in_words": control.link_in,
            "link_out_words": control.link_out,
            "filter_words": fires(p.filters.words),
            "passes": p.issue_event(m),
        }
        if config.control.access_counters:
            events |= access_events(m, config, control, p)
        m.submodules.counters = counters = Counters(widths=counter_widths(config))
        m.d.comb += [counters.increments[name].eq(event) for name, event in events.items()]
        m.d.comb += [
            counters.clear.eq(control.clear),
            counters.hold.eq(control.hold),
            counters.index.eq(control.counter_index),
            control.counter.eq(counters.value),
            control.progress.eq(
                Cat(
                    *(activity[name] != 0 for name in kind.PROGRESS),
                    events["glb_ifmap_words"],
                    events["glb_psum_write_beats"],
                    events["glb_act_write_words"],
                    events["filter_words"],
                    fires(p.storer.port.request),  # which sends nothing while it counts
                ).any()
            ),
        ]


def counter_widths(config: Config) -> tuple[tuple[str, int], ...]:
    """The counters of a configuration, and the bits of what each gains in a cycle."""
    of_pes = pe_kind(config).counted(config, Signal(ActivityCount(config)))
    gains = dict.fromkeys(of_pes, bits_for(config.multipliers))
    gains |= {
        "ifmap_words_sent": bits_for(config.noc.ifmap),
        "glb_act_write_lanes": bits_for(config.lanes),
    }
    return tuple((field.name, gains.get(field.name, 1)) for field in counter_block(config).fields)
