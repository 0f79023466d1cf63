"""The command stream under construction: steps, tables, fences."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from compiler.stream.conv import ConvCommand, Nest
from compiler.stream.hazards import NO_WAIT, BufferAccess, Wait
from compiler.stream.resident import NOTHING, Filters
from compiler.stream.resolution import Resolver, Routed
from compiler.stream.surface import Surface, movable, runs
from compiler.stream.tables import RoundRobin, packed_params
from compiler.stream.timeline import Ahead, Work
from compiler.stream.traffic import FILLED, LOADED, STORED, LayerTraffic
from compiler.stream.writer import StreamWriter
from hw.arch.accesses import Access, DataType, Direction
from hw.arch.commands import (
    INDEX,
    REGION,
    VECTOR,
    Opcode,
    command,
)
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.entries import PARAM
from hw.arch.program import Box, Host, Load, Query, Step, Store, Words
from hw.arch.program.layout import box_words, region, short_params
from hw.arch.program.transfer import load_of_filters

PatternWords: TypeAlias = tuple[int, ...]  # of a row or column pattern


class StreamBuilder(StreamWriter):
    """Collects the steps of a program; every method appends what its name says.

    A `dry` stream leaves out the filters, for estimates of networks that have none, and keeps none
    of them in the weight memory. Decides on its own what a command has to wait for and where table
    entries are reused. `conv_commands` is the number of CONV commands that the present layer has so
    far. When it is finished, `memory` is what the weight memory must hold, and `traffic` what every
    layer that has commands moves.
    """

    def __init__(self, config: Config, *, dry: bool = False) -> None:
        super().__init__(config)
        self.dry = dry
        self.traffic: Mapping[int, LayerTraffic] = {}
        self.conv_commands = 0
        self._asked: int | None = None  # layer whose counters are still to be asked for
        self.memory = NOTHING

    # ---- tables -------------------------------------------------------------------------------

    def row_patterns(self, patterns: tuple[PatternWords, ...]) -> int:
        """Index of the first of these row patterns, which lie one after another."""
        return self._fill(self._tables.rows, Opcode.ROWS, patterns, patterns)

    def column_patterns(self, patterns: tuple[PatternWords, ...]) -> int:
        """Index of the first of these column patterns."""
        return self._fill(self._tables.columns, Opcode.COLS, patterns, patterns)

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
        found = self._tables.params.find(key)
        if found is not None:
            return found
        size = len(words) // PARAM.words
        first, busy = self._tables.params.place(key, size // units)
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
        if self._tables.table.find(key) is not None:
            return
        self._tables.table.place(key, 1)
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
        self._tables.params.use()
        self._hazards.conv(access, synced=sync)
        if self._spread is not None:
            self._spread.append(self._hazards.target[0], conv)
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
            raw = payload[taken : taken + size]
            head, sent = load_of_filters(self.config, part, raw, tag=self.layer, **wait.flags())
            self._count(len(head), hidden=ahead is not None)
            self._count(len(sent) or size, DataType.FILTER)
            parts += [head, sent]
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
            self._spread.append(self._hazards.target[0], words)
        else:
            self._command(Opcode.VECTOR, VECTOR.pack(fields), wait=wait)
            self.timeline.moved(0, access)
        self._computed()

    # ---- clusters -----------------------------------------------------------------------------

    def share_out(self, cluster: int, box: Box, surface: Surface) -> None:
        """All other clusters take a box of the buffer from this one."""
        self._ask()
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

    def start_layer(self, layer: int) -> None:
        """The following commands belong to another layer."""
        if layer != self.layer:
            self._flush()
            self.layer = layer
            self.conv_commands = 0
