"""Makes words of a stream's parts, once the place of all filters is known: `Resolver`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from compiler.stream.conv import ConvCommand, Nest
from compiler.stream.resident import FilterPlacement, place_filters
from compiler.stream.routes import Router
from compiler.stream.spread import Command, Fill, Spread, filter_streams, interleaved
from compiler.stream.traffic import LinkCounter
from hw.arch.accesses import DataType
from hw.arch.config import Config
from hw.arch.program import Send, Step, Words

Part: TypeAlias = Words | ConvCommand | Spread


@dataclass(frozen=True)
class Routed:
    """Words that have their routes already."""

    words: Words


@dataclass(frozen=True)
class Pending:
    """A Send to be: words, and commands of which the filters' place is open."""

    parts: Sequence[Part | Routed]
    layer: int


class Resolver:
    """Turns the steps of a stream into those of a program.

    Parameters
    ----------
    config : Config
    steps : sequence of Step or Pending
        The first one begins with the words of BEGIN, the last one ends with those of END.
    link : LinkCounter
        Counts the words of commands and filters.

    Attributes
    ----------
    placement : the filters that stay in the weight memory
    """

    def __init__(self, config: Config, steps: Sequence[Step | Pending], link: LinkCounter) -> None:
        self._config, self._steps, self._link = config, steps, link
        self._router = Router(config)
        pending = [step for step in steps if isinstance(step, Pending)]
        units = [unit for step in pending for unit in self._units(step)]
        filters = [{n: conv.filters for n, conv in unit.items() if conv.filters} for unit in units]
        self.placement: FilterPlacement = place_filters(config, filters)
        self._places: Mapping[int, int] = {
            id(conv): first
            for number, first in self.placement.first.items()
            for conv in units[number].values()
        }
        self._before: list[Nest | None] = [None] * config.clusters.count

    def _units(self, step: Pending) -> Iterator[dict[int, ConvCommand]]:
        """CONV commands by cluster, as far as their filters have one place in all of these."""
        for part in step.parts:
            if isinstance(part, ConvCommand):
                yield dict.fromkeys(range(self._config.clusters.count), part)
            elif isinstance(part, Spread):
                for _, turns in part.turns:
                    for turn in turns:
                        yield {n: c for n, c in turn.items() if isinstance(c, ConvCommand)}

    def steps(self) -> tuple[Step, ...]:
        """The steps of the program."""
        last = len(self._steps) - 1
        return tuple(
            Send(self._words(step.parts, number == 0, number == last), step.layer)
            if isinstance(step, Pending)
            else step
            for number, step in enumerate(self._steps)
        )

    def _words(self, parts: Sequence[Part | Routed], begins: bool, ends: bool) -> Words:
        """The words of a step, with routes if there are several clusters."""
        router, done = self._router, list[Words]()
        common: list[Words] = []  # for every cluster, without a route yet
        if begins and router.several:
            begin, *parts = parts
            assert isinstance(begin, np.ndarray)
            done.append(begin)
        end: Words | None = None
        if ends and router.several:
            *parts, last = parts
            assert isinstance(last, np.ndarray)
            end = router.last(last)
        for part in parts:
            if isinstance(part, Spread | Routed):
                done += [self._broadcast(common)] if common else []
                done += [part.words] if isinstance(part, Routed) else self._spread(part)
                common = []
            else:
                common.append(self._conv(part) if isinstance(part, ConvCommand) else part)
        done += [self._broadcast(common)] if common else []
        done += [] if end is None else [end]
        return np.concatenate(done)

    def _broadcast(self, parts: Sequence[Words]) -> Words:
        """Words for every cluster; those of filters that are left out have their room in the
        route."""
        words = np.concatenate(parts)
        missing, self._missing = self._missing, 0
        return self._router.broadcast(words, missing)

    _missing = 0  # words of filters that a dry stream leaves out of the words that come next

    def _conv(self, conv: ConvCommand) -> Words:
        """A CONV of every cluster."""
        placed = conv.placed(self._places.get(id(conv))).coded(self._config)
        if id(conv) in self._places:
            self._link.stay(conv.layer, conv.length)
        else:
            self._link.count(conv.layer, placed.sent, DataType.FILTER, hidden=True)
        first = self._before[0]
        before = first if all(each is first for each in self._before) else None
        head = placed.head(before)
        self._link.count(conv.layer, len(head), DataType.COMMAND, hidden=conv.hidden)
        self._before = [placed.nest] * len(self._before)
        self._missing += placed.sent - len(placed.payload)
        return np.concatenate([head, placed.payload])

    def _spread(self, spread: Spread) -> list[Words]:
        """Commands that clusters execute side by side: their heads, then what they are sent."""
        parts: list[Words] = []
        for fills, turns in spread.turns:
            for turn in fills:
                parts += self._filled(turn)
            for commands in turns:
                parts += self._side_by_side(spread, commands)
        return parts

    def _filled(self, turn: Mapping[int, Fill]) -> list[Words]:
        """What fills tables: clusters with equal entries get them together."""
        together: dict[bytes, list[int]] = {}
        for number, fill in turn.items():
            together.setdefault(fill.words.tobytes(), []).append(number)
        parts = []
        for numbers in together.values():
            fill = turn[numbers[0]]
            for target in self._router.rectangles(numbers):
                parts.append(self._router.words(target, fill.words))
                payload = len(fill.words) - fill.head
                self._link.count(fill.layer, fill.head, DataType.COMMAND, hidden=fill.hidden)
                self._link.count(fill.layer, payload, fill.data, hidden=fill.hidden)
        return parts

    def _side_by_side(self, spread: Spread, turn: Mapping[int, Command]) -> list[Words]:
        """A command of each cluster."""
        turn = {number: self._placed(command) for number, command in turn.items()}
        parts = []
        for number, command in turn.items():
            (target,) = self._router.rectangles([number])
            parts.append(self._router.words(target, self._head(number, command)))
        convs = {n: each for n, each in turn.items() if isinstance(each, ConvCommand)}
        streams = filter_streams(self._router, spread, convs)
        parts += interleaved(self._router, streams)
        for conv in list(convs.values())[:1]:
            words = sum(stream.length for stream in streams)
            self._link.count(conv.layer, words, DataType.FILTER, hidden=True)
        return parts

    def _placed(self, command: Command) -> Command:
        """A command of a cluster with its filters in the weight memory, if they are there."""
        if not isinstance(command, ConvCommand) or id(command) not in self._places:
            return command
        self._link.stay(command.layer, command.length)
        return command.placed(self._places[id(command)])

    def _head(self, number: int, command: Command) -> Words:
        """Header and descriptor of a cluster's command; the payload of a CONV follows later."""
        if not isinstance(command, ConvCommand):
            return command
        head = command.head(self._before[number])
        self._before[number] = command.nest
        self._link.count(command.layer, len(head), DataType.COMMAND, hidden=command.hidden)
        return head
