"""The command stream under construction: steps, tables, fences."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from compiler.stream.conv import ConvCommand, Nest
from compiler.stream.hazards import NO_WAIT, BufferAccess, Wait
from compiler.stream.resident import NOTHING, Filters
from compiler.stream.resolution import Part, Pending, Resolver, Routed
from compiler.stream.routes import Router
from compiler.stream.spread import ClusterHazards, Spread
from compiler.stream.surface import Surface, movable, runs
from compiler.stream.tables import RoundRobin, packed_params
from compiler.stream.timeline import Ahead, Timeline, Work
from compiler.stream.traffic import FILLED, LOADED, STORED, LayerTraffic, LinkCounter
from hw.arch.accesses import Access, DataType, Direction
from hw.arch.commands import (
    INDEX,
    REGION,
    VECTOR,
    Opcode,
    begin,
    command,
)
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.config.file import config_hash
from hw.arch.entries import PARAM
from hw.arch.program import Box, Host, Load, Query, Step, Store, Words
from hw.arch.program.layout import box_words, region, short_params

PatternWords: TypeAlias = tuple[int, ...]  # of a row or column pattern


_TABLES = (Opcode.PARAMS, Opcode.SHORT_PARAMS, Opcode.TABLE)


class StreamBuilder:
    """Collects the steps of a program; every method appends what its name says.

    A `dry` stream leaves out the filters, for estimates of networks that have none, and keeps none
    of them in the weight memory. Decides on its own what a command has to wait for and where table
    entries are reused. `layer` is the index of the layer that the following commands belong to,
    `conv_commands` the number of CONV commands it has so far. `computing` is set by whoever knows
    that the array has work while the following words are moved; `timeline` knows where words can be
    brought ahead. When it is finished, `memory` is what the weight memory must hold, and `traffic`
    what every layer that has commands moves.
    """

    def __init__(self, config: Config, *, dry: bool = False) -> None:
        self.config = config
        self.dry = dry
        self.layer = -1
        self.traffic: Mapping[int, LayerTraffic] = {}
        self.computing = False
        self.conv_commands = 0
        self._asked: int | None = None  # layer whose counters are still to be asked for
        self.memory = NOTHING
        self._link = LinkCounter(config)
        self._steps: list[Step | Pending] = []
        self._words: list[Part | Routed] = []
        self._rows = RoundRobin(config.control.row_patterns, self._cut)
        self._columns = RoundRobin(config.control.col_patterns, self._cut)
        self._params = RoundRobin(config.post.channels // config.post.units, self._cut)
        self._table = RoundRobin(1, self._cut)
        self._hazards = ClusterHazards(config.clusters.count)
        self._router = Router(config)
        self._spread: Spread | None = None
        self.timeline = Timeline(config)
        self._append(begin(config_hash(config)))

    # ---- tables -------------------------------------------------------------------------------

    def row_patterns(self, patterns: tuple[PatternWords, ...]) -> int:
        """Index of the first of these row patterns, which lie one after another."""
        return self._fill(self._rows, Opcode.ROWS, patterns, patterns)

    def column_patterns(self, patterns: tuple[PatternWords, ...]) -> int:
        """Index of the first of these column patterns."""
        return self._fill(self._columns, Opcode.COLS, patterns, patterns)

    def _fill(
        self,
        table: RoundRobin,
        opcode: Opcode,
        key: Hashable,
        entries: tuple[PatternWords, ...],
    ) -> int:
        found = table.find(key)
        if found is not None:
            return found
        first, _ = table.place(key, len(entries))  # patterns are free when a walk is over
        payload = [word for entry in entries for word in entry]
        self._command(opcode, INDEX.pack({"first": first, "count": len(entries)}), payload)
        return first

    def params(self, bias: Any, multiplier: Any, shift: Any, addend: Any = 0) -> int:
        """Parameter row of the first of these channels (arrays of equal length)."""
        return self.packed_params(packed_params(self.config, bias, multiplier, shift, addend))

    def packed_params(self, words: Words) -> int:
        """The same for whole rows, packed."""
        units = self.config.post.units
        key = words.tobytes()
        found = self._params.find(key)
        if found is not None:
            return found
        size = len(words) // PARAM.words
        first, busy = self._params.place(key, size // units)
        descriptor = INDEX.pack({"first": first * units, "count": size})
        short = short_params(words)
        if short is None:
            self._command(Opcode.PARAMS, descriptor, words, wait=Wait(fence=busy))
        else:
            self._command(Opcode.SHORT_PARAMS, descriptor, short, wait=Wait(fence=busy))
        return first

    def table(self, words: Words) -> None:
        """Fills the ADD tables (all 256 entries)."""
        key = words.tobytes()
        if self._table.find(key) is not None:
            return
        self._table.place(key, 1)
        self._command(Opcode.TABLE, INDEX.pack({"first": 0, "count": 256}), words)

    # ---- work ---------------------------------------------------------------------------------

    def conv(
        self,
        nest: Nest,
        length: int,
        filters: Callable[[], Filters],
        access: BufferAccess,
        read: int,
        work: Work,
    ) -> None:
        """A CONV command with its filters, `length` words of the link that its passes take.

        If `access` names buffer words of filters, they are there, and `nest` says where; the passes
        read as much of them as `read` words of the link. `work`: of the array.
        """
        self._ask()
        wait, sync = self._hazards.wait_conv(access)
        self._waited(wait)
        held = None if self.dry or access.filters else filters()
        assert held is None or held.length == length
        if access.filters:
            nest = nest.flagged("buffered")
            self._link.stay(self.layer, read)
            length = 0
        conv = ConvCommand(
            nest=nest.flagged("sync") if sync else nest,
            filters=held,
            length=length,
            wait=wait,
            layer=self.layer,
            hidden=self.computing,
        )
        self._params.use()
        self._hazards.conv(access, synced=sync)
        if self._spread is not None:
            self._spread.commands[self._hazards.target[0]].append(conv)
        else:
            self._words.append(conv)
            self.timeline.conv(conv, self._words, access, work, self._hazards.used())
        self.conv_commands += 1

    def load_filters(
        self,
        address: int,
        length: int,
        filters: Callable[[], Words],
        ahead: Ahead | None = None,
    ) -> None:
        """Brings filters into the buffer, from word `address` on: `length` words of the link.

        They are part of the program. `length` is that of whole buffer words; where a buffer word
        has 128 bits it is even. `ahead`: they follow an earlier command, found by `timeline`.
        """
        words = length * LINK_WORD_BITS // self.config.buffer.width
        self._link.at_buffer(self.layer, FILLED, words * self.config.lanes)
        access = BufferAccess(writes=((address, address + words),))
        if ahead is None:
            self._ask()
            wait = self._hazards.wait(access)
            self._waited(wait)
        else:
            wait = ahead.wait
        parts: list[Words] = []
        taken = 0
        payload = NOTHING if self.dry else filters()
        assert self.dry or len(payload) == length
        for part in runs(self.config, address, length, patient=ahead is not None):
            size = part["words"]
            fields = REGION.pack(part)
            header = command(Opcode.LOAD, fields, length=size, tag=self.layer, **wait.flags())
            self._count(len(header), hidden=ahead is not None)
            self._count(size, DataType.FILTER)
            parts += [np.array(header, dtype=np.uint64), payload[taken : taken + size]]
            taken += size
            wait = NO_WAIT
        if ahead is None:
            self._words += parts
            self.timeline.moved(length, access)
        else:
            self.timeline.bring(ahead, parts)

    def vector(self, fields: Mapping[str, int], access: BufferAccess) -> None:
        """A VECTOR command."""
        self._ask()
        wait = self._hazards.wait(access)
        if self._spread is not None:
            words = np.array(self._header(Opcode.VECTOR, VECTOR.pack(fields), 0, wait), np.uint64)
            self._count(len(words))
            self._spread.commands[self._hazards.target[0]].append(words)
        else:
            self._command(Opcode.VECTOR, VECTOR.pack(fields), wait=wait)
            self.timeline.moved(0, access)
        self._computed()

    # ---- clusters -----------------------------------------------------------------------------

    @contextmanager
    def spread(self, share: Sequence[Hashable]) -> Iterator[None]:
        """CONV and VECTOR commands within go to clusters, see `at`, which execute them side by side.

        What fills tables for them goes to every cluster before. `share`: for each cluster, names
        the filters that it needs.
        """
        tables = (self._rows, self._columns, self._params, self._table)
        self._spread = Spread.empty(self.config.clusters.count, share)
        for table in tables:
            table.group()
        yield
        self._words.append(self._spread)
        self._spread = None
        for table in tables:
            table.ungroup()

    @contextmanager
    def at(self, cluster: int) -> Iterator[None]:
        """Commands within are for one cluster."""
        self._hazards.target = (cluster,)
        yield
        self._hazards.target = self._hazards.everyone

    def _cut(self) -> None:
        """What comes next may fill table entries of commands that are already spread."""
        if self._spread is not None:
            self._words.append(self._spread)
            self._spread = Spread.empty(self.config.clusters.count, self._spread.share)
            for table in (self._rows, self._columns, self._params, self._table):
                table.group(keep=True)

    def share_out(self, cluster: int, box: Box, surface: Surface) -> None:
        """All other clusters take a box of the buffer from this one."""
        access = surface.extent(self.config)
        reads, writes = BufferAccess(reads=(access,)), BufferAccess(writes=(access,))
        others = tuple(n for n in self._hazards.everyone if n != cluster)
        for part, place in movable(self.config, box, surface):
            with self.at(cluster):
                store, words = self._move(Opcode.STORE, part, place, self._hazards.wait(reads))
                self._hazards.store(reads)
            self._hazards.target = others
            load = self._loaded(part, place, words, self._hazards.wait(writes))
            self._hazards.target = self._hazards.everyone
            (source,) = self._router.rectangles([cluster])
            for found in (self._router.words(source, store), self._router.copied(cluster, load)):
                self._words.append(Routed(found))
                self._count(len(found))
            self._at_buffer(STORED, part, surface)
            self._at_buffer(LOADED, part, surface)

    def _loaded(self, box: Box, surface: Surface, words: int, wait: Wait) -> Words:
        """The LOAD that takes what a STORE of the same box sends."""
        fields = self._region(Opcode.STORE, box, surface)
        head = self._header(Opcode.LOAD, REGION.pack(fields), words, wait)
        return np.array(head, dtype=np.uint64)

    # ---- tensors of the host --------------------------------------------------------------------

    def load(self, tensor: int, box: Box, surface: Surface) -> None:
        """Brings a box of a host tensor into the buffer."""
        self._ask()
        access = BufferAccess(writes=(surface.extent(self.config),))
        wait = self._hazards.wait(access)
        for part, place in movable(self.config, box, surface):
            words, length = self._move(Opcode.LOAD, part, place, wait)
            words = self._router.broadcast(words, length)
            self._count(len(words))
            self._count(length, DataType.INPUT, tensor=tensor)
            self.timeline.moved(length, access)
            self._at_buffer(LOADED, part, surface)
            self._flush()
            self._steps.append(Load(words, tensor, part, self.layer))
            wait = NO_WAIT

    def store(self, tensor: int, box: Box, surface: Surface, cluster: int = 0) -> None:
        """Sends a box of a cluster's buffer to a host tensor."""
        self._ask()
        access = BufferAccess(reads=(surface.extent(self.config),))
        with self.at(cluster):
            self._store(tensor, box, surface, access, self._hazards.wait(access))
            self._hazards.store(access)
        self.timeline.moved(0, access)

    def _store(
        self, tensor: int, box: Box, surface: Surface, access: BufferAccess, wait: Wait
    ) -> None:
        (source,) = self._router.rectangles(self._hazards.target)
        for part, place in movable(self.config, box, surface):
            words, length = self._move(Opcode.STORE, part, place, wait)
            words = self._router.answered(source, words)
            self._count(len(words))
            self._count(1, direction=Direction.WRITE)
            self._count(length, DataType.OUTPUT, Direction.WRITE, tensor=tensor)
            self._at_buffer(STORED, part, surface)
            self._flush()
            self._steps.append(Store(words, tensor, part, surface.raw, self.layer))
            wait = NO_WAIT

    def _move(self, opcode: Opcode, box: Box, surface: Surface, wait: Wait) -> tuple[Words, int]:
        fields = self._region(opcode, box, surface)
        length = fields["words"]
        payload = length if opcode is Opcode.LOAD else 0
        words = self._header(opcode, REGION.pack(fields), payload, wait)
        return np.array(words, dtype=np.uint64), length

    def _region(self, opcode: Opcode, box: Box, surface: Surface) -> dict[str, int]:
        return region(
            self.config,
            box,
            address=surface.address,
            row_stride=surface.row_stride,
            plane_stride=surface.plane_stride,
            raw=surface.raw,
            load=opcode is Opcode.LOAD,
        )

    def _at_buffer(self, access: Access, box: Box, surface: Surface) -> None:
        words = box_words(self.config, box, raw=surface.raw)
        self._link.at_buffer(self.layer, access, words * self.config.lanes)

    def query(self) -> None:
        """Asks for the counters of the layer.

        What fills tables for the next layer goes before the question, in the shadow of this one.
        """
        self._asked = self.layer

    def _ask(self) -> None:
        """Asks now, if a layer waits for it: work of another one begins."""
        if self._asked is None:
            return
        layer, asked = self.layer, self._asked
        self._flush()
        self._asked, self.layer = None, asked
        # Its fence is not noted among the hazards: later commands wait for themselves, so that a
        # program stays right when the host leaves its questions out (`Program.uncounted`).
        words = np.array(command(Opcode.COUNTERS, tag=asked, fence=True), dtype=np.uint64)
        words = self._router.answered(self._router.everyone, words)
        self._steps.append(Query(words, asked))
        self.layer = layer

    def host(self, step: Host) -> None:
        """A step of the host, which waits for everything before it."""
        self._ask()
        self._flush()
        self.timeline.clear()
        self._steps.append(replace(step, layer=self.layer))

    def finish(self, outputs: Sequence[int] = ()) -> tuple[Step, ...]:
        """Ends the program and returns its steps; `outputs` are the tensors that it is for."""
        self._ask()
        self.layer = -1
        self._append(command(Opcode.END))
        self._flush()
        resolver = Resolver(self.config, self._steps, self._link)
        self.memory = resolver.placement.memory
        steps = resolver.steps()
        self.traffic = self._link.traffic(outputs)
        return steps

    # ---- words --------------------------------------------------------------------------------

    def start_layer(self, layer: int) -> None:
        """The following commands belong to another layer."""
        if layer != self.layer:
            self._flush()
            self.layer = layer
            self.conv_commands = 0

    def _command(
        self,
        opcode: Opcode,
        descriptor: Sequence[int],
        payload: Sequence[int] | Words = (),
        *,
        wait: Wait = NO_WAIT,
    ) -> None:
        self.timeline.computed()  # tables wait for the walk, VECTOR for everything
        data = DataType.TABLE if opcode in _TABLES else DataType.COMMAND
        self._append(self._header(opcode, descriptor, len(payload), wait))
        self._append(payload, data)

    def _header(
        self, opcode: Opcode, descriptor: Sequence[int], length: int, wait: Wait
    ) -> list[int]:
        """Header and descriptor of a command that waits so."""
        self._waited(wait)
        return command(opcode, descriptor, length=length, tag=self.layer, **wait.flags())

    def _waited(self, wait: Wait) -> None:
        """The next command waits so."""
        self._hazards.waited(wait)
        if wait.fence:
            self._computed()

    def _computed(self) -> None:
        """Every CONV of the clusters that commands are for is done."""
        self._hazards.computed()
        if self._hazards.target is self._hazards.everyone:
            self._params.idle()
            self.timeline.computed()

    def _append(self, words: Sequence[int] | Words, data: DataType = DataType.COMMAND) -> None:
        if len(words):
            self._words.append(np.asarray(words, dtype=np.uint64))
            self._count(len(words), data)
            self.timeline.moved(len(words))

    def _count(
        self,
        words: int,
        data: DataType = DataType.COMMAND,
        direction: Direction = Direction.READ,
        *,
        tensor: int = -1,
        hidden: bool = False,
    ) -> None:
        hidden = hidden or self.computing
        self._link.count(self.layer, words, data, direction, hidden=hidden, tensor=tensor)

    def _flush(self) -> None:
        if self._words:
            self._steps.append(Pending(self._words, self.layer))
            self._words = []
