"""Controller of an SDR SDRAM: bursts of words to commands."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.sdram import POSTPONED, SdramChip, SdramTiming
from hw.base.block import Block
from hw.memory.port import LENGTH_BITS, MemoryPort
from hw.memory.sdram.beats import SdramBeats
from hw.memory.sdram.pins import ALL_BANKS, SdramCommand, SdramPins
from hw.memory.sdram.refresh import RefreshTimer
from hw.memory.sdram.rows import OpenRows, place_layout


class SdramController(Block):
    """Memory port of an SDR SDRAM.

    It initialises the chip by itself after a reset and accepts requests from then on. A word is one
    READ or WRITE of as many beats as the chip needs for 64 bits. Rows stay open, one in each bank,
    until another row of the bank is wanted or the chip is refreshed. Refreshes are made while
    nobody asks, or together when `POSTPONED` of them are late.

    All outputs to the pins are registers, and `dq_i` goes to registers alone.

    Latency: a request whose row is open has its READ on the pins two cycles after it was accepted,
    and its first word `timing.capture - 1` cycles and the beats of a word later. Words follow each
    other without a gap, those of the next request too if its row is open.

    Timing
    ------
    All distances are a cycle but those of PRECHARGE. The chip is initialised: all banks are closed
    (command 2), it is refreshed (1), and its mode is set (0). Then words 3 and 4 are read: row 0 is
    opened (3), and columns 6 and 8 are read (5). A refresh is owed and nobody asks: all is closed.

        cycle                         0  1  2  3  4  5  6  7  8  9 10 11 12 13
        port.request.valid            1  1  1  1  1  1  0  0  0  0  0  0  0  0
        port.request.payload.address  3  3  3  3  3  3  .  .  .  .  .  .  .  .
        port.request.payload.length   1  1  1  1  1  1  .  .  .  .  .  .  .  .
        port.request.ready            0  0  0  0  0  1  0  0  0  0  1  1  1  1
        pins.command                  7  7  7  2  1  0  7  3  5  7  5  7  2  1
        pins.address                  .  .  .  .  . 33  .  0  6  .  8  .  .  .
        pins.dq_i                     .  .  .  .  .  .  .  .  .  5  0  6  0  .
        port.read.valid               0  0  0  0  0  0  0  0  0  0  0  1  0  1
        port.read.payload             .  .  .  .  .  .  .  .  .  .  .  5  .  6

    Members
    -------
    port : in, MemoryPort(chip.address_bits)
        The memory.
    pins : out, SdramPins(chip)
        The chip.
    """

    def __init__(self, chip: SdramChip, timing: SdramTiming):
        super().__init__({"port": In(MemoryPort(chip.address_bits)), "pins": Out(SdramPins(chip))})
        self.chip = chip
        self.timing = timing

    def elaborate(self, platform: object) -> Module:
        m = Module()
        parts = _Parts(self.chip, self.timing)
        m.submodules.rows, m.submodules.beats = parts.rows, parts.beats
        m.submodules.refresh = parts.refresh
        connect(m, flipped(self.port.write), parts.beats.write)
        connect(m, parts.beats.read, flipped(self.port.read))
        m.d.comb += [parts.rows.place.eq(parts.place), parts.command.eq(SdramCommand.NOP)]
        self._accept(m, parts)
        self._drive(m, parts)
        for timer in (parts.wait, parts.recover):
            with m.If(timer != 0):
                m.d.sync += timer.eq(timer - 1)
        with m.FSM():
            with m.State("START"):
                with m.If(parts.refresh.owed == self.timing.power_up):
                    self._close_all(m, parts)
                    m.next = "REFRESH"
            with m.State("SERVE"):
                self._serve(m, parts)
            with m.State("REFRESH"):
                with m.If(parts.go):
                    self._send(m, parts, SdramCommand.REFRESH, self.timing.refresh)
                    m.d.comb += parts.refresh.done.eq(1)
                    with m.If(parts.refresh.owed == 1):
                        m.next = "SERVE"
                        with m.If(~parts.ready):
                            m.next = "MODE"
            with m.State("MODE"):
                with m.If(parts.go):
                    self._send(m, parts, SdramCommand.MODE, self.timing.mode)
                    m.d.sync += parts.ready.eq(1)
                    m.next = "SERVE"
        return m

    def _accept(self, m: Module, parts: "_Parts") -> None:
        """Take a request whenever the last one has had all its commands."""
        request = self.port.request
        m.d.comb += request.ready.eq(parts.ready & ~parts.busy)
        with m.If(request.ready):
            m.d.sync += [
                parts.busy.eq(request.valid),
                parts.place.eq(request.payload.address),
                parts.left.eq(request.payload.length),
                parts.writing.eq(request.payload.write),
            ]

    def _drive(self, m: Module, parts: "_Parts") -> None:
        """The registers at the pins."""
        pins, rows, place = self.pins, parts.rows, parts.place
        column = Signal(len(pins.address))
        address = Signal(len(pins.address))
        m.d.comb += [
            column.eq(place.word << self.chip.beat_bits),
            # A row that is hit is in want of a column, any other one of being opened.
            address.eq(Mux(rows.hit, column, place.row)),
        ]
        m.d.sync += [
            pins.command.eq(parts.command),
            pins.bank.eq(place.bank),
            pins.address.eq(address),
            # Closed is one bank, which is open, or all of them.
            pins.address[ALL_BANKS].eq(rows.close_all | (address[ALL_BANKS] & ~rows.is_open)),
            pins.mask.eq(~parts.ready),
        ]
        m.d.comb += [
            pins.dq_o.eq(parts.beats.dq_o),
            pins.dq_oe.eq(parts.beats.dq_oe),
            parts.beats.dq_i.eq(pins.dq_i),
        ]

    def _serve(self, m: Module, parts: "_Parts") -> None:
        """The next command of the request, or all banks closed for refreshes."""
        rows, beats, refresh = parts.rows, parts.beats, parts.refresh
        may_close = Signal()
        idle = ~parts.busy & ~self.port.request.valid
        m.d.comb += may_close.eq(parts.go & beats.free & (parts.recover == 0))
        with m.If(refresh.late | (refresh.owed.any() & idle)):
            with m.If(may_close):
                self._close_all(m, parts)
                m.next = "REFRESH"
        with m.Elif(parts.busy & parts.go):
            with m.If(rows.hit):
                with m.If(beats.free & (~parts.writing | (beats.turned & self.port.write.valid))):
                    self._transfer(m, parts)
            with m.Elif(~rows.is_open):
                self._send(m, parts, SdramCommand.ACTIVATE, self.timing.activate)
                m.d.comb += rows.open.eq(1)
                m.d.sync += parts.recover.eq(self.timing.recover - 1)
            with m.Elif(may_close):
                self._send(m, parts, SdramCommand.PRECHARGE, self.timing.precharge)
                m.d.comb += rows.close.eq(1)

    def _transfer(self, m: Module, parts: "_Parts") -> None:
        """READ or WRITE of a word."""
        m.d.sync += [
            parts.place.eq(parts.place.as_value() + 1),
            parts.left.eq(parts.left - 1),
            parts.busy.eq(parts.left != 0),
        ]
        with m.If(parts.writing):
            m.d.comb += [parts.command.eq(SdramCommand.WRITE), parts.beats.begin_write.eq(1)]
            m.d.sync += parts.recover.eq(self.timing.recover - 1)
        with m.Else():
            m.d.comb += [parts.command.eq(SdramCommand.READ), parts.beats.begin_read.eq(1)]

    def _close_all(self, m: Module, parts: "_Parts") -> None:
        """PRECHARGE of all banks."""
        self._send(m, parts, SdramCommand.PRECHARGE, self.timing.precharge)
        m.d.comb += parts.rows.close_all.eq(1)

    def _send(self, m: Module, parts: "_Parts", command: SdramCommand, distance: int) -> None:
        """A command that keeps all others away for some cycles."""
        m.d.comb += parts.command.eq(command)
        m.d.sync += parts.wait.eq(distance - 1)


class _Parts:
    """What a controller consists of, and its registers."""

    def __init__(self, chip: SdramChip, timing: SdramTiming) -> None:
        self.rows = OpenRows(chip)
        self.beats = SdramBeats(chip, timing)
        # Late refreshes wait for a word and its row at most, so that hardly more become due.
        most = max(timing.power_up + 1, 2 * POSTPONED - 1)
        self.refresh = RefreshTimer(interval=timing.interval, most=most)
        self.ready = Signal()  # the chip is initialised
        self.busy = Signal()  # there is a request
        self.writing = Signal()
        self.left = Signal(LENGTH_BITS)  # words after the next one
        # Until the first request its row is what the mode register is set to.
        self.place = Signal(place_layout(chip), init={"row": chip.mode})
        self.command = Signal(3)
        longest = max(timing.precharge, timing.activate, timing.refresh, timing.mode)
        self.wait = Signal(range(max(longest, 2)))  # cycles without a command
        self.recover = Signal(range(max(timing.recover, 2)))  # cycles without PRECHARGE
        self.go = self.wait == 0
