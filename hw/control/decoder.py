"""The command decoder: reads the stream, checks it, and hands each command to who serves it."""

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.arch.accesses import counter_block
from hw.arch.commands import (
    ANY_CONFIGURATION,
    BEGIN,
    COMMAND_SET_VERSION,
    DESCRIPTOR_WORDS,
    HEADER,
    MAGIC,
    REGION,
    START,
    VECTOR,
    Opcode,
    ResultBlock,
    Status,
    descriptor_words,
)
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.config.file import config_hash
from hw.arch.config.identity import identity_words
from hw.base.block import Block
from hw.base.layouts import layout
from hw.control.decoder_state import (
    DecoderState,
    TableFacts,
    table_commands,
    vector_modes,
    vector_operations,
)
from hw.control.port import control_port

FLUSH_CYCLES = 4


class Decoder(Block):
    """Executes the command stream in order; see docs/architecture.md, "Commands, fences, results".

    Payloads go straight to where they belong. A command that waits (`fence`, or a busy unit) holds
    the stream; CONV only holds it until the walk of the CONV before is over.

    A cycle a word, and three for the checks or, in DISPATCH, until the command may begin:

        state   HEADER  DESCRIPTOR  ..  DESCRIPTOR  CHECK  DISPATCH  ..  PAYLOAD  ..  HEADER
        stream  header  word            none        none   none          word         header

    Members
    -------
    command : in, stream of LINK_WORD_BITS
        Words of the command stream.
    result : out, stream of LINK_WORD_BITS
        Words of the result stream.
    flush : out, 1
        Resets the engine after an error and, until a cycle later, with the decoder; a register.
    engine : out, control_port(config)
        What the engine is told and what it answers.
    """

    def __init__(self, config: Config):
        word = stream.Signature(LINK_WORD_BITS)
        super().__init__(
            {
                "command": In(word),
                "result": Out(word),
                "flush": Out(1, init=1),
                "engine": Out(control_port(config)),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        state = DecoderState(self.config)
        self._wire(m, state)
        self._opcodes(m, state)
        facts = state.table_facts(m)
        with m.FSM() as fsm:
            self._hunt(m, state)
            self._header(m, state)
            self._dispatch(m, state, facts)
            self._payload(m, state, facts.size)
            self._results(m, state)
            self._failure(m, state)
        self._block(m)
        # A word on offer stays until it is taken, however late: only the host can end that wait.
        waits_for_host = self.result.valid | fsm.ongoing("HUNT") | fsm.ongoing("HEADER")
        state.watch(m, self.engine.progress | waits_for_host | self.engine.link_in)
        return m

    def _wire(self, m: Module, s: DecoderState) -> None:
        """Connections that do not depend on the FSM's state."""
        region = layout(REGION)(Cat(s.words)[: REGION.words * LINK_WORD_BITS])
        start = layout(START)(Cat(s.words)[: START.words * LINK_WORD_BITS])
        m.d.comb += [
            *(self.engine.region[f.name].eq(region[f.name]) for f in REGION.fields),
            self.engine.vector.as_value().eq(Cat(s.words)[: VECTOR.words * LINK_WORD_BITS]),
            s.index.as_value().eq(s.words[0]),
            s.block.tag.eq(s.header.tag),
            self.engine.link_in.eq(self.command.valid & self.command.ready),
            self.engine.link_out.eq(self.result.valid & self.result.ready),
            self.engine.tag.eq(s.header.tag),
            self.engine.descriptor.index.eq(s.position),
            self.engine.descriptor.data.eq(self.command.payload),
            self.engine.filters.payload.eq(self.command.payload),
            self.engine.load_words.payload.eq(self.command.payload),
            self.engine.code.as_value().eq(self.command.payload),
            self.engine.decoded.eq(start.decoded),
            self.engine.payload_last.eq(s.left == 1),
        ]
        s.route_entries(m, self.engine, self.command.payload)

    @contextmanager
    def _state(self, m: Module, s: DecoderState, name: str) -> Iterator[None]:
        """A state that the watchdog can end."""
        with m.State(name):
            yield
            with m.If(s.stuck):
                self._fail(m, s, Status.WATCHDOG, s.header.opcode)

    def _opcodes(self, m: Module, s: DecoderState) -> None:
        """Descriptor length of the header on the stream."""
        with m.Switch(layout(HEADER)(self.command.payload).opcode):
            for opcode in set(DESCRIPTOR_WORDS) - s.unsupported:
                with m.Case(opcode):
                    m.d.comb += [s.known.eq(1), s.announced.eq(descriptor_words(opcode, ()))]

    def _fail(self, m: Module, s: DecoderState, status: Status, value) -> None:
        m.d.sync += [s.status.eq(status), s.value.eq(value), s.position.eq(0)]
        m.next = "FAIL"

    def _hunt(self, m: Module, s: DecoderState) -> None:
        """Discard words until a program begins, and check whom it was made for.

        Until then the counters are zero: a program finds nothing of the one before in them.
        """
        word = self.command.payload
        begins = self.command.valid & ~self.flush & (word == MAGIC)
        with m.State("HUNT"):
            m.d.comb += [self.command.ready.eq(~self.flush), self.engine.clear.eq(~begins)]
            with m.If(begins):
                m.d.sync += s.header.as_value().eq(0)
                m.next = "VERSION"
        with self._state(m, s, "VERSION"):
            m.d.comb += self.command.ready.eq(1)
            version = word[: BEGIN.fields[0].width]
            with m.If(self.command.valid):
                with m.If(version == COMMAND_SET_VERSION):
                    m.next = "HASH"
                with m.Else():
                    self._fail(m, s, Status.BAD_VERSION, version)
        with self._state(m, s, "HASH"):
            m.d.comb += self.command.ready.eq(1)
            with m.If(self.command.valid):
                m.d.sync += s.guest.eq(word == ANY_CONFIGURATION)
                with m.If((word == config_hash(self.config)) | (word == ANY_CONFIGURATION)):
                    m.next = "HEADER"
                with m.Else():
                    self._fail(m, s, Status.BAD_CONFIGURATION, word)

    def _header(self, m: Module, s: DecoderState) -> None:
        """Read a header and its descriptor, and add up the checksum."""
        word = self.command.payload
        quarters = [word.word_select(i, 16) for i in range(4)]
        incoming = layout(HEADER)(word)
        with m.State("HEADER"):
            m.d.comb += self.command.ready.eq(~self.engine.store_failed)
            with m.If(self.engine.store_failed):
                self._fail(m, s, self.engine.store_status, self.engine.store_value)
            with m.Elif(self.command.valid):
                m.d.sync += [
                    s.header.as_value().eq(word),
                    s.expected.eq(s.announced),
                    s.position.eq(0),
                    s.sum.eq(sum(quarters[:3])),
                    s.entry.eq(0),
                    s.part.eq(0),
                    s.left.eq(incoming.length),
                ]
                m.next = "DESCRIPTOR"
                with m.If(~s.known):
                    self._fail(m, s, Status.UNKNOWN_COMMAND, incoming.opcode)
                asks = (incoming.opcode == Opcode.IDENTIFY) | (incoming.opcode == Opcode.END)
                with m.Elif(s.guest & ~asks):
                    self._fail(m, s, Status.BAD_CONFIGURATION, incoming.opcode)
        is_conv = s.header.opcode == Opcode.CONV
        with self._state(m, s, "DESCRIPTOR"):
            with m.If(s.position == s.expected):
                m.next = "CHECK"
            with m.Elif(~is_conv | self.engine.conv_ready):
                m.d.comb += [
                    self.command.ready.eq(1),
                    self.engine.descriptor.en.eq(self.command.valid & is_conv),
                ]
                with m.If(self.command.valid):
                    m.d.sync += [s.position.eq(s.position + 1), s.sum.eq(s.sum + sum(quarters))]
                    with m.If(is_conv & (s.position == START.words - 1)):
                        m.d.sync += s.expected.eq(s.nest_words(word))
                    for i, target in enumerate(s.words):
                        with m.If(s.position == i):
                            m.d.sync += target.eq(word)
        with self._state(m, s, "CHECK"):
            with m.If(s.sum == s.header.checksum):
                m.next = "DISPATCH"
            with m.Else():
                self._fail(m, s, Status.BAD_CHECKSUM, s.sum)

    def _dispatch(self, m: Module, s: DecoderState, facts: TableFacts) -> None:
        """Wait for what must be done before, then start the command."""
        computed = self.engine.quiet & self.engine.walk_idle
        stored = ~self.engine.storing
        all_done = computed & stored
        settled = (
            (~s.header.fence | all_done)
            & ((s.header.older == 0) | (self.engine.unfinished <= s.header.older))
            & (~s.header.stored | stored)
        )
        region, length, codes = self.engine.region, s.header.length, self.config.link.codes
        with self._state(m, s, "DISPATCH"), m.Switch(s.header.opcode):
            with m.Case(Opcode.END):
                with m.If(self.engine.store_failed):
                    self._fail(m, s, self.engine.store_status, self.engine.store_value)
                with m.Elif(all_done):
                    m.d.sync += [s.status.eq(Status.OK), s.value.eq(0)]
                    m.next = "STATUS"
                    with m.If(self.engine.surplus):
                        self._fail(m, s, Status.BAD_LENGTH, Opcode.END)
            with m.Case(*table_commands(self.config)):
                with m.If(settled & self.engine.walk_idle):
                    m.next = "PAYLOAD"
                    with m.If(facts.misfit):
                        self._fail(m, s, Status.BAD_LENGTH, s.left)
                    with m.Elif(facts.beyond):
                        self._fail(m, s, Status.BAD_ADDRESS, facts.end)
            with m.Case(Opcode.LOAD):
                with m.If(settled):
                    m.next = "LOAD"
                    wrong = Mux(region.coded, length == 0, length != region.words)
                    with m.If(region.coded & (not codes)):
                        self._fail(m, s, Status.BAD_FIELD, region.coded)
                    with m.Elif(wrong):
                        self._fail(m, s, Status.BAD_LENGTH, length)
                    with m.Else():
                        m.d.comb += self.engine.load.eq(1)
            with m.Case(Opcode.STORE):
                with m.If(settled & stored):
                    self._store(m, s)
            with m.Case(Opcode.CONV):
                coded = self.engine.decoded != 0
                with m.If(coded & (not codes)):
                    self._fail(m, s, Status.BAD_FIELD, self.engine.decoded)
                with m.Elif(coded & (length == 0)):
                    self._fail(m, s, Status.BAD_LENGTH, length)
                with m.Elif(settled):
                    m.d.comb += self.engine.start_conv.eq(1)
                    m.next = "FILTERS"
            with m.Case(Opcode.VECTOR):
                vector = self.engine.vector
                known_op = Cat(vector.op == op for op in vector_operations(self.config)).any()
                known_mode = Cat(vector.mode == mode for mode in vector_modes(self.config)).any()
                with m.If(~known_op):
                    self._fail(m, s, Status.BAD_FIELD, vector.op)
                with m.Elif(~known_mode):
                    self._fail(m, s, Status.BAD_FIELD, vector.mode)
                with m.Elif(settled & computed):
                    m.d.comb += self.engine.start_vector.eq(1)
                    m.next = "VECTOR"
            with m.Case(Opcode.COUNTERS):
                with m.If(all_done):
                    m.next = "COUNTERS"
            with m.Case(Opcode.IDENTIFY):
                with m.If(stored):
                    m.next = "IDENTITY"

    def _store(self, m: Module, s: DecoderState) -> None:
        """Begin a STORE; one that may be coded takes the value that is left out with it."""
        coded, length = self.engine.region.coded, s.header.length
        with m.If(coded & (not self.config.link.codes)):
            self._fail(m, s, Status.BAD_FIELD, coded)
        with m.Elif(length != coded):
            self._fail(m, s, Status.BAD_LENGTH, length)
        with m.Elif(self.engine.store_failed):
            m.next = "HEADER"
        with m.Elif(~coded | self.command.valid):
            m.d.comb += [self.engine.store.eq(1), self.command.ready.eq(coded)]
            m.next = "HEADER"

    def _payload(self, m: Module, s: DecoderState, size) -> None:
        """Words that belong to the command."""
        with self._state(m, s, "PAYLOAD"):
            wrong = s.patterns_misfit(self.command.payload, self.command.valid, size)
            with m.If(wrong):
                self._fail(m, s, Status.BAD_LENGTH, s.left)
            with m.Elif(s.left == 0):
                m.next = "HEADER"
            with m.Else():
                m.d.comb += self.command.ready.eq(1)
            taken = self.command.valid & (s.left != 0) & ~wrong
            s.fill_tables(m, self.engine, self.command.payload, size, taken)
            if self.config.control.access_counters:
                m.d.comb += self.engine.table_word.eq(taken & s.fills_table)
        with self._state(m, s, "FILTERS"):
            self._pass_on(m, s, self.engine.filters)
            with m.If(self.engine.bad_code):
                self._fail(m, s, Status.BAD_CODE, Opcode.CONV)
            with m.Elif((s.left == 0) & ~self.engine.loading):
                m.next = "HEADER"
        with self._state(m, s, "LOAD"):
            self._pass_on(m, s, self.engine.load_words)
            # The box and its words must end together; words of a code come ahead.
            ends = (self.engine.loading == (s.left == 0)) & ~self.engine.region.coded
            with m.If(self.engine.overrun):
                self._fail(m, s, Status.BAD_ADDRESS, self.engine.address)
            with m.Elif(self.engine.bad_code):
                self._fail(m, s, Status.BAD_CODE, Opcode.LOAD)
            with m.Elif(ends):
                self._fail(m, s, Status.BAD_LENGTH, s.left)
            with m.Elif(~self.engine.loading):
                m.next = "HEADER"
        with self._state(m, s, "VECTOR"):
            m.next = "VECTOR_BUSY"
        with self._state(m, s, "VECTOR_BUSY"):
            with m.If(~self.engine.vector_busy & self.engine.quiet):
                m.next = "HEADER"

    def _pass_on(self, m: Module, s: DecoderState, port) -> None:
        """The words of a payload, as long as there are any."""
        m.d.comb += [
            port.valid.eq(self.command.valid & (s.left != 0)),
            self.command.ready.eq(port.ready & (s.left != 0)),
        ]
        with m.If(port.valid & port.ready):
            m.d.sync += s.left.eq(s.left - 1)

    def _results(self, m: Module, s: DecoderState) -> None:
        """Result blocks: a header, which no watchdog may part from its words, and these."""
        counters = counter_block(self.config)
        identity = Array(Const(word, LINK_WORD_BITS) for word in identity_words(self.config))
        sources = {
            "STATUS": (ResultBlock.STATUS, 1, s.value),
            "COUNTERS": (ResultBlock.COUNTERS, counters.words, self.engine.counter),
            "IDENTITY": (ResultBlock.IDENTITY, len(identity), identity[s.position]),
        }
        header = s.block
        counted = Signal()  # a counter's value follows its number by a cycle
        m.d.comb += self.engine.counter_index.eq(s.position)
        m.d.sync += counted.eq(0)
        for name, (block, length, word) in sources.items():
            with m.State(name):
                m.d.comb += [
                    self.engine.hold.eq(name == "COUNTERS"),
                    header.block.eq(block),
                    header.length.eq(length),
                    header.status.eq(s.status if name == "STATUS" else 0),
                    self.result.valid.eq(1),
                    self.result.payload.eq(header.as_value()),
                ]
                with m.If(self.result.ready):
                    m.d.sync += s.position.eq(0)
                    m.next = f"{name}_WORDS"
            with self._state(m, s, f"{name}_WORDS"):
                m.d.comb += [
                    self.engine.hold.eq(name == "COUNTERS"),
                    self.result.valid.eq(counted if name == "COUNTERS" else 1),
                    self.result.payload.eq(word),
                ]
                m.d.sync += counted.eq(~(self.result.valid & self.result.ready))
                with m.If(self.result.valid & self.result.ready):
                    m.d.sync += s.position.eq(s.position + 1)
                    with m.If(s.position == length - 1):
                        m.next = "HUNT" if name == "STATUS" else "HEADER"
                        m.d.comb += self.engine.clear.eq(name != "IDENTITY")

    def _block(self, m: Module) -> None:
        """A data block passes; all that sends other results waits until it is over.

        After a reset the engine goes on for a cycle: nothing of that is passed on.
        """
        with m.If(self.engine.storing & ~self.flush):
            m.d.comb += [
                self.result.valid.eq(self.engine.block.valid),
                self.result.payload.eq(self.engine.block.payload),
                self.engine.block.ready.eq(self.result.ready),
            ]

    def _failure(self, m: Module, s: DecoderState) -> None:
        """Let a data block end, reset the engines, report, and wait for the next program."""
        with m.State("FAIL"), m.If(~self.engine.storing):
            m.next = "FLUSH"
        m.d.sync += self.flush.eq(0)
        with m.State("FLUSH"):
            m.d.sync += [self.flush.eq(1), s.position.eq(s.position + 1)]
            with m.If(s.position == FLUSH_CYCLES):
                m.next = "STATUS"
