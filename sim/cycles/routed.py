"""The words of a program for several clusters, as the model takes them: `routed_stream`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.arch.accesses import counter_block
from hw.arch.commands import BEGIN, HEADER, REGION, Opcode
from hw.arch.config import Config
from hw.arch.program import Host, Load, Program, Query, Send, Step, Store, Words
from hw.arch.routes import ROUTE, RouteKind
from sim.cycles.stream import WITH_PAYLOAD, command_words

_STATUS_WORDS = 2


@dataclass
class RoutedStream:
    """What the distributor and the clusters take.

    Attributes
    ----------
    clusters : for each cluster the headers, descriptors, and payloads of ROWS and COLS that it
        takes, in order; BEGIN is left out
    routes : int64, (routes, 7): kind, first and last row and column of the clusters, number of the
        source, words that follow
    total : words on the link, with routes and all payloads
    gates, queries : as of `sim.cycles.stream.CommandStream`
    """

    clusters: list[Words]
    routes: NDArray[np.int64]
    total: int
    gates: NDArray[np.int64]
    queries: list[int]


class _Cluster:
    """What a cluster is given.

    parts : words that the model needs
    left : payload words to come, which it does not need
    absent : these are not among the words of the steps
    """

    def __init__(self) -> None:
        self.parts: list[Words] = []
        self.left = 0
        self.absent = False


class _Builder:
    """Takes the steps of a program, and gives every cluster its words."""

    def __init__(self, config: Config, *, dry: bool) -> None:
        self._config, self._dry = config, dry
        self.clusters = [_Cluster() for _ in range(config.clusters.count)]
        self.routes: list[list[int]] = []
        self.total = 0
        self.results = 0
        self.gates: list[tuple[int, int]] = []
        self.queries: list[int] = []
        self._stored: dict[int, int] = {}  # tensor: results that complete it

    def step(self, step: Step) -> None:
        match step:
            case Send():
                self._send(step.words)
            case Load():
                self._wait(step.tensor)
                self._send(step.words)
            case Store():
                self._send(step.words)
                self._stored[step.tensor] = self.results
            case Query():
                self._send(step.words)
                self.queries.append(step.layer)
            case Host():
                for tensor in step.inputs:
                    self._wait(tensor)

    def _wait(self, tensor: int) -> None:
        """What follows needs a tensor that is being stored."""
        if tensor in self._stored:
            self.gates.append((self.total, self._stored.pop(tensor)))

    def _send(self, words: Words) -> None:
        position = 0
        if not self.total:
            position = self.total = 1 + BEGIN.words
        while position < len(words):
            position += self._route(words[position:])

    def _route(self, words: Words) -> int:
        """A route and what follows it for its clusters; how many of `words` these are."""
        fields = ROUTE.unpack([int(words[0])])
        columns = self._config.clusters.x
        corners = [fields[name] for name in ("first_y", "first_x", "last_y", "last_x")]
        source = fields["source_y"] * columns + fields["source_x"]
        self.routes.append([fields["kind"], *corners, source, fields["words"]])
        self.total += 1 + fields["words"]
        target = [
            y * columns + x
            for y in range(corners[0], corners[2] + 1)
            for x in range(corners[1], corners[3] + 1)
        ]
        copied = fields["kind"] == RouteKind.COPIED
        if copied:
            target.remove(source)
        if fields["kind"] == RouteKind.LAST:
            self.results += _STATUS_WORDS
        answers = len(target) if fields["kind"] == RouteKind.ANSWERED else 0
        first, *others = (self.clusters[number] for number in target)
        assert all(other.left == first.left for other in others)
        known = len(first.parts)
        taken = self._take(first, words[1:], fields["words"], answers)
        if copied:
            first.left = 0  # its payload comes from the source
        for other in others:
            other.parts += first.parts[known:]
            other.left, other.absent = first.left, first.absent
        return 1 + taken

    def _take(self, cluster: _Cluster, words: Words, announced: int, answers: int) -> int:
        """The words of a route, of which some may be left out; how many of `words` are taken.

        answers : clusters that answer what is asked
        """
        position = 0
        while announced:
            if cluster.left:
                size = min(cluster.left, announced)
                cluster.left -= size
                announced -= size
                position += 0 if cluster.absent else size
                continue
            header = HEADER.unpack([int(words[position])])
            opcode = Opcode(header["opcode"])
            size = command_words(words[position:])
            kept = size + (header["length"] if opcode in WITH_PAYLOAD else 0)
            assert kept <= announced
            cluster.parts.append(words[position : position + kept])
            self.results += answers * self._answer(opcode, words[position + 1 : position + size])
            position += kept
            announced -= kept
            cluster.left = size + header["length"] - kept
            cluster.absent = opcode is Opcode.LOAD or (opcode is Opcode.CONV and self._dry)
        return position

    def _answer(self, opcode: Opcode, descriptor: Words) -> int:
        """Words of the block that answers a command."""
        if opcode is Opcode.COUNTERS:
            return 1 + counter_block(self._config).words
        if opcode is Opcode.STORE:
            return 1 + REGION.unpack(descriptor.tolist())["words"]
        return 0


def routed_stream(program: Program, *, dry: bool = False) -> RoutedStream:
    """The words of a program's first run; `dry`: the filters are left out of its steps."""
    builder = _Builder(program.config, dry=dry)
    for step in program.steps:
        builder.step(step)
    return RoutedStream(
        clusters=[
            np.ascontiguousarray(np.concatenate(cluster.parts), dtype=np.uint64)
            for cluster in builder.clusters
        ],
        routes=np.array(builder.routes, dtype=np.int64),
        total=builder.total,
        gates=np.array(builder.gates, dtype=np.int64).reshape(-1, 2),
        queries=builder.queries,
    )
