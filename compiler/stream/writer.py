"""Words of a command stream under construction: headers, waits, what goes to which clusters."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np

from compiler.stream.hazards import NO_WAIT, Wait
from compiler.stream.resolution import Part, Pending, Routed
from compiler.stream.routes import Router
from compiler.stream.spread import ClusterHazards, Fill, Spread
from compiler.stream.tables import StreamTables
from compiler.stream.timeline import Timeline
from compiler.stream.traffic import LinkCounter
from hw.arch.accesses import DataType, Direction
from hw.arch.commands import Opcode, begin, command
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.program import Step, Words

_TABLES = (Opcode.PARAMS, Opcode.SHORT_PARAMS, Opcode.TABLE)


class StreamWriter:
    """What a `StreamBuilder` writes with: it knows words, tables and waits, but no operators.

    `layer` is the index of the layer that the following commands belong to. `computing` is set by
    whoever knows that the array has work while the following words are moved; `timeline` knows
    where words can be brought ahead.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.layer = -1
        self.computing = False
        self._link = LinkCounter(config)
        self._steps: list[Step | Pending] = []
        self._words: list[Part | Routed] = []
        self._tables = StreamTables(config)
        self._hazards = ClusterHazards(config.clusters.count)
        self._router = Router(config)
        self._spread: Spread | None = None
        self.timeline = Timeline(config)
        self._append(begin(config_hash(config)))

    # ---- clusters -----------------------------------------------------------------------------

    @contextmanager
    def spread(self, share: Sequence[Hashable]) -> Iterator[None]:
        """Commands within go to clusters (`at`), which execute them side by side.

        What fills tables of a cluster goes before its commands, as long as all entries that these
        use have room. `share`: for each cluster, names the filters that it needs.
        """
        count = self.config.clusters.count
        self._spread = Spread.empty(count, share)
        self._each = [self._tables.copy() for _ in range(count)]
        for cluster, tables in enumerate(self._each):
            for table in tables.all:
                table.group(partial(self._cut, cluster))
        yield
        self._words.append(self._spread)
        self._spread = None
        self._tables.meet(self._each)

    @contextmanager
    def at(self, cluster: int) -> Iterator[None]:
        """Commands within are for one cluster."""
        common, self._hazards.target = self._tables, (cluster,)
        if self._spread is not None:
            self._tables = self._each[cluster]
        yield
        self._tables, self._hazards.target = common, self._hazards.everyone

    def _cut(self, cluster: int) -> None:
        """What comes next fills table entries of commands that the cluster has got already."""
        assert self._spread is not None
        self._spread.cut(cluster)
        for table in self._each[cluster].all:
            table.regroup()

    # ---- words --------------------------------------------------------------------------------

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
        if self._spread is not None:
            # It goes before commands of its segment: nothing that it waits for is noted.
            head = self._unnoted(opcode, descriptor, len(payload), wait)
            words = np.array([*head, *payload], dtype=np.uint64)
            fill = Fill(words, len(head), data, self.layer, self.computing)
            self._spread.fill(self._hazards.target[0], fill)
            return
        self._append(self._header(opcode, descriptor, len(payload), wait))
        self._append(payload, data)

    def _header(
        self, opcode: Opcode, descriptor: Sequence[int], length: int, wait: Wait
    ) -> list[int]:
        """Header and descriptor of a command that waits so."""
        self._waited(wait)
        return self._unnoted(opcode, descriptor, length, wait)

    def _unnoted(
        self, opcode: Opcode, descriptor: Sequence[int], length: int, wait: Wait
    ) -> list[int]:
        """The same, but later commands do not rely on its waits."""
        return command(opcode, descriptor, length=length, tag=self.layer, **wait.flags())

    def _waited(self, wait: Wait) -> None:
        """The next command waits so."""
        self._hazards.waited(wait)
        if wait.fence:
            self._computed()

    def _computed(self) -> None:
        """Every CONV of the clusters that commands are for is done."""
        self._hazards.computed()
        everyone = self._hazards.target is self._hazards.everyone
        if everyone or self._spread is not None:
            self._tables.params.idle()
        if everyone:
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
