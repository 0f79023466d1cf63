"""The command stream of several clusters: every stretch of words goes where its route says."""

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hw.arch.commands import (
    ANY_CONFIGURATION,
    BEGIN,
    COMMAND_SET_VERSION,
    HEADER,
    MAGIC,
    Opcode,
    Status,
)
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.config.file import config_hash
from hw.arch.routes import ROUTE, RouteKind
from hw.base.block import Block
from hw.base.layouts import layout
from hw.mesh.gatherer import COPIED, REPORT, Answers, expectation

FLUSH_CYCLES = 4


class Distributor(Block):
    """Takes the words of a program, and offers each to the clusters that its route names.

    A word leaves when all of them are ready. It is a cycle a word, two for a route, and a few at
    the begin and the end of a program. A program for any configuration goes to cluster (0, 0)
    alone.

    Timing
    ------
    Two clusters run a program. MAGIC (M), version (V) and hash (H) arrive in cycles 1 to 3 and go
    to both clusters in cycles 4 to 6. Route R in cycle 7 names cluster 1 for the two words after
    it, 7 and 8. Cluster 1 is not ready in cycle 10, so word 8 waits until cycle 11. Route S in
    cycle 12 names both clusters for word 9. Cluster 0 is not ready in cycle 14, so neither takes
    the word then; both take it in cycle 15.

        cycle              0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
        command.valid      1 1 1 1 0 0 0 1 0 1  1  1  1  0  1  1  0
        command.payload    M M V H . . . R . 7  8  8  S  .  9  9  .
        command.ready      0 1 1 1 0 0 0 1 0 1  0  1  1  0  0  1  1
        clusters.0.ready   1 1 1 1 1 1 1 1 1 1  1  1  1  1  0  1  1
        clusters.0.valid   0 0 0 0 1 1 1 0 0 0  0  0  0  0  0  1  0
        clusters.0.payload . . . . M V H . . .  .  .  .  .  .  9  .
        clusters.1.ready   1 1 1 1 1 1 1 1 1 1  0  1  1  1  1  1  1
        clusters.1.valid   0 0 0 0 1 1 1 0 0 1  0  1  0  0  0  1  0
        clusters.1.payload . . . . M V H . . 7  .  8  .  .  .  9  .

    Members
    -------
    command : in, stream of LINK_WORD_BITS
        Words of the program.
    clusters : out, config.clusters.count times stream of LINK_WORD_BITS
        Words for each, row by row. All carry the same word; `ready` must not depend on `valid`.
    expect : out, stream of expectation(config.clusters.count)
        For the gatherer: who answers.
    fetch : out, stream of config.clusters.count
        For the gatherer: whose block is copied.
    copied : in, stream of COPIED
        The words of that block.
    report : out, stream of REPORT
        An error in the stream.
    failed : in, 1
        The gatherer has passed on an error.
    idle : in, 1
        The gatherer expects nothing.
    moving : in, 1
        A cluster works, or a word moves, for the watchdog.
    flush : out, 1
        Resets clusters and gatherer after an error; a register.
    """

    def __init__(self, config: Config):
        count = config.clusters.count
        word = stream.Signature(LINK_WORD_BITS)
        super().__init__(
            {
                "command": In(word),
                "clusters": Out(word).array(count),
                "expect": Out(stream.Signature(expectation(count))),
                "fetch": Out(stream.Signature(count)),
                "copied": In(stream.Signature(COPIED)),
                "report": Out(stream.Signature(REPORT)),
                "failed": In(1),
                "idle": In(1),
                "moving": In(1),
                "flush": Out(1, init=1),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        s = _State(self.config)
        self._broadcast(m, s)
        with m.FSM() as fsm:
            self._begin(m, s)
            self._route(m, s)
            self._words(m, s)
            self._copy(m, s)
            self._end(m, s)
            self._failure(m, s)
        m.d.comb += s.waiting.eq(~fsm.ongoing("HUNT") & (~fsm.ongoing("ROUTE") | ~self.idle))
        self._watch(m, s)
        return m

    @contextmanager
    def _state(self, m: Module, s: "_State", name: str) -> Iterator[None]:
        """A state that an error of a cluster, or the watchdog, can end."""
        with m.State(name):
            yield
            with m.If(s.stuck):
                self._fail(m, s, Status.WATCHDOG, 0)
            with m.If(self.failed):
                m.next = "FLUSH"

    def _fail(self, m: Module, s: "_State", status: Status, value: Value | int) -> None:
        m.d.sync += [s.report.status.eq(status), s.report.value.eq(value)]
        m.next = "FAIL"

    def _broadcast(self, m: Module, s: "_State") -> None:
        """`s.word` goes to `s.target` if `s.offer`; `s.taken` says that it went."""
        ready = Cat(cluster.ready for cluster in self.clusters)
        m.d.comb += [s.ready.eq((ready | ~s.target).all()), s.taken.eq(s.offer & s.ready)]
        for number, cluster in enumerate(self.clusters):
            m.d.comb += [
                cluster.payload.eq(s.word),
                cluster.valid.eq(s.taken & s.target[number]),
            ]

    def _begin(self, m: Module, s: "_State") -> None:
        """Discard words until a program begins; check whom it was made for, then begin it."""
        word = self.command.payload
        with m.State("HUNT"):
            m.d.comb += self.command.ready.eq(~self.flush)
            m.d.sync += s.place.eq(0)
            with m.If(self.command.valid & ~self.flush & (word == MAGIC)):
                m.next = "VERSION"
        with self._state(m, s, "VERSION"):
            m.d.comb += self.command.ready.eq(1)
            version = word[: BEGIN.fields[0].width]
            with m.If(self.command.valid):
                m.next = "HASH"
                with m.If(version != COMMAND_SET_VERSION):
                    self._fail(m, s, Status.BAD_VERSION, version)
        with self._state(m, s, "HASH"):
            m.d.comb += self.command.ready.eq(1)
            guest = word == ANY_CONFIGURATION
            with m.If(self.command.valid):
                m.d.sync += [s.guest.eq(guest), s.target.eq(Mux(guest, 1, ~0))]
                m.next = "BEGIN"
                with m.If(~guest & (word != config_hash(self.config))):
                    self._fail(m, s, Status.BAD_CONFIGURATION, word)
        hash_ = Mux(s.guest, ANY_CONFIGURATION, config_hash(self.config))
        with self._state(m, s, "BEGIN"):
            m.d.comb += [
                s.word.eq(Array([MAGIC, COMMAND_SET_VERSION, hash_])[s.place]),
                s.offer.eq(1),
            ]
            with m.If(s.taken):
                m.d.sync += s.place.eq(s.place + 1)
                with m.If(s.place == 2):
                    m.next = "ROUTE"
                    with m.If(s.guest):
                        m.next = "GUEST"
        with self._state(m, s, "GUEST"):
            m.d.comb += [
                self.expect.valid.eq(1),
                self.expect.payload.clusters.eq(1),
                self.expect.payload.answers.eq(Answers.GUEST),
            ]
            with m.If(self.expect.ready):
                m.next = "GUEST_WORDS"
        with self._state(m, s, "GUEST_WORDS"):
            m.d.comb += [
                s.word.eq(word),
                s.offer.eq(self.command.valid),
                self.command.ready.eq(s.ready),
            ]
            with m.If(s.taken & (layout(HEADER)(word).opcode == Opcode.END)):
                m.next = "END"

    def _route(self, m: Module, s: "_State") -> None:
        """A route: what it names must exist."""
        word, config = self.command.payload, self.config
        route = s.route
        quarters = [word.word_select(i, 16) for i in range(3)]
        with self._state(m, s, "ROUTE"):
            m.d.comb += self.command.ready.eq(1)
            with m.If(self.command.valid):
                m.d.sync += [route.as_value().eq(word), s.sum.eq(sum(quarters))]
                m.next = "TARGET"
        beyond = (
            (route.last_y >= config.clusters.y)
            | (route.last_x >= config.clusters.x)
            | (route.first_y > route.last_y)
            | (route.first_x > route.last_x)
            | (route.source_y >= config.clusters.y)
            | (route.source_x >= config.clusters.x)
        )
        with self._state(m, s, "TARGET"):
            m.d.sync += [s.target.eq(s.named), s.left.eq(route.words)]
            m.d.comb += [
                self.expect.payload.clusters.eq(s.named),
                self.expect.payload.answers.eq(
                    Mux(route.kind == RouteKind.LAST, Answers.ENDS, Answers.BLOCKS)
                ),
            ]
            copied = route.kind == RouteKind.COPIED
            asks = ~copied & (route.kind != RouteKind.WORDS)
            with m.If(s.sum != route.checksum):
                self._fail(m, s, Status.BAD_CHECKSUM, s.sum)
            with m.Elif(beyond | ~s.named.any()):
                self._fail(m, s, Status.BAD_ADDRESS, route.as_value())
            with m.Elif(copied):
                m.next = "FETCH"
            with m.Else():
                m.d.comb += self.expect.valid.eq(asks)
                with m.If(~asks | self.expect.ready):
                    m.next = "WORDS"

    def _words(self, m: Module, s: "_State") -> None:
        """Words of the stream."""
        with self._state(m, s, "WORDS"):
            more = s.left != 0
            m.d.comb += [
                s.word.eq(self.command.payload),
                s.offer.eq(self.command.valid & more),
                self.command.ready.eq(s.ready & more),
            ]
            with m.If(s.taken):
                m.d.sync += s.left.eq(s.left - 1)
            # The last word goes on at once to what follows it.
            with m.If(~more | (s.taken & (s.left == 1))):
                m.next = "ROUTE"
                with m.If(s.route.kind == RouteKind.COPIED):
                    m.next = "COPY"
                with m.If(s.route.kind == RouteKind.LAST):
                    m.next = "END"

    def _copy(self, m: Module, s: "_State") -> None:
        """Wait for the block of the source, so that nobody waits for words in the middle of a
        command; after the stream's words come those of the block."""
        with self._state(m, s, "FETCH"):
            m.d.comb += [self.fetch.valid.eq(1), self.fetch.payload.eq(s.source)]
            with m.If(self.fetch.ready):
                m.next = "WORDS"
        with self._state(m, s, "COPY"):
            m.d.comb += [
                s.word.eq(self.copied.payload.word),
                s.offer.eq(self.copied.valid),
                self.copied.ready.eq(s.ready),
            ]
            with m.If(s.taken & self.copied.payload.last):
                m.next = "ROUTE"

    def _end(self, m: Module, s: "_State") -> None:
        """The next program begins when all clusters have ended this one."""
        with self._state(m, s, "END"):
            with m.If(self.idle):
                m.next = "HUNT"

    def _failure(self, m: Module, s: "_State") -> None:
        """Report, reset clusters and gatherer, and wait for the next program."""
        with m.State("FAIL"):
            m.d.comb += [self.report.valid.eq(1), self.report.payload.eq(s.report)]
            with m.If(self.failed):
                m.next = "FLUSH"
        m.d.sync += [self.flush.eq(0), s.flushed.eq(0)]
        with m.State("FLUSH"):
            m.d.sync += [self.flush.eq(1), s.flushed.eq(s.flushed + 1)]
            with m.If(s.flushed == FLUSH_CYCLES):
                m.next = "HUNT"

    def _watch(self, m: Module, s: "_State") -> None:
        """Raise `stuck` when for long nothing has moved that was waited for.

        A cluster's own watchdog, which knows more, is faster.
        """
        limit = 2 * self.config.control.watchdog
        still = Signal(bits_for(limit))
        m.d.comb += s.stuck.eq(still == limit)
        m.d.sync += still.eq(still + 1)
        with m.If(self.moving | ~s.waiting | s.stuck):
            m.d.sync += still.eq(0)


class _State:
    """Registers and shared signals of the distributor.

    `place`: words of BEGIN sent; `guest`: the program is for any configuration; `route`: the last
    one, `sum` its checksum, `named` and `source` the clusters that it names; `target`, `left`: who
    takes the words of the stream, and how many are to come; `report`: an error; `flushed`: cycles
    of a reset. `word`, `offer`, `ready`, `taken`: a word for the target, whether it is there,
    whether all can take it, whether they do. `waiting`, `stuck`: for the watchdog.
    """

    def __init__(self, config: Config):
        count, columns = config.clusters.count, config.clusters.x
        self.place = Signal(2)
        self.guest = Signal()
        self.route = Signal(layout(ROUTE))
        self.sum = Signal(16)
        self.target = Signal(count)
        self.left = Signal.like(self.route.words)
        self.report = Signal(REPORT)
        self.flushed = Signal(range(FLUSH_CYCLES + 1))
        self.word = Signal(LINK_WORD_BITS)
        self.offer = Signal()
        self.ready = Signal()
        self.taken = Signal()
        self.waiting = Signal()
        self.stuck = Signal()
        places = [divmod(number, columns) for number in range(count)]
        route = self.route
        self.source = Cat((route.source_y == y) & (route.source_x == x) for y, x in places)
        within = Cat(
            (route.first_y <= y) & (y <= route.last_y) & (route.first_x <= x) & (x <= route.last_x)
            for y, x in places
        )
        copied = (route.kind == RouteKind.COPIED).replicate(count)
        self.named = within & ~(self.source & copied)
