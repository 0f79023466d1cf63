"""Where words can be brought into the buffer while the link would be idle: `Timeline`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from compiler.stream.conv import ConvCommand
from compiler.stream.hazards import BufferAccess, Span, Wait
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.program import Words

_REACH = 24  # CONV commands that words are brought ahead of at most
_LEAD = 256  # least cycles that the link is to be ahead of the array after all, for tables


class Work(NamedTuple):
    """What a CONV command is for the array: cycles, and writes of results among them."""

    cycles: int = 0
    writes: int = 0


@dataclass(eq=False)
class Event:
    """What link or array do for a command, in the order of the stream.

    Attributes
    ----------
    spans : buffer words that it uses
    words : link words that it brings
    waits : the link goes on when the array is done
    command, parts : a CONV command, and the list of the stream where it stands
    work : of the array, for a CONV command
    brought : link words that follow the command, ahead of their use
    open : buffer words that it and commands before it may still use, by how one waits for those
    """

    spans: tuple[Span, ...] = ()
    words: int = 0
    waits: bool = False
    command: ConvCommand | None = None
    parts: list[Any] = field(default_factory=list)
    work: Work = Work()
    brought: int = 0
    open: Mapping[Wait, tuple[Span, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ahead:
    """Where words can be brought ahead, and what it costs.

    Attributes
    ----------
    address : first buffer word
    span : all of them
    links : words of the link
    after : the CONV command that they follow; wait : for commands before it
    waits : cycles by which link or array are later for it
    """

    address: int
    span: Span
    links: int
    after: Event
    wait: Wait
    waits: int


class Timeline:
    """The newest commands of a stream, and roughly when link and array come to them.

    The array begins a CONV command when it has done the one before and the descriptor has come. A
    descriptor comes when that of the command before has been taken; filters wait in their queue.
    What fills tables waits until the walk over the passes of the newest CONV command is over, which
    is near its end: only directly after the command the link can bring something meanwhile.
    """

    def __init__(self, config: Config) -> None:
        self._queue = config.buffer.filter_prefetch * 8 // LINK_WORD_BITS
        self._events: list[Event] = []

    # ---- what the stream does -----------------------------------------------------------------

    def moved(self, words: int, access: BufferAccess | None = None) -> None:
        """The link brings words for a command that uses buffer words so."""
        self._events.append(Event(access.spans if access else (), words))

    def computed(self) -> None:
        """The link waits until the array has done what it can do."""
        self._events.append(Event(waits=True))

    def conv(
        self,
        command: ConvCommand,
        parts: list[Any],
        access: BufferAccess,
        work: Work,
        used: Mapping[Wait, tuple[Span, ...]],
    ) -> None:
        """A CONV command has been appended to `parts`.

        work : of the array; used : buffer words that commands may still use when one begins
            that waits so
        """
        self._events.append(
            Event(access.spans, command.length, False, command, parts, work, 0, used)
        )
        marks = [at for at, event in enumerate(self._events) if event.command is not None]
        if len(marks) > 2 * _REACH:
            del self._events[: marks[-_REACH]]

    def clear(self) -> None:
        """Nothing is brought ahead of what has come so far."""
        self._events.clear()

    # ---- ahead --------------------------------------------------------------------------------

    def ahead(
        self,
        words: int,
        links: int,
        within: Span,
        taken: Sequence[Span],
        others: Sequence[Ahead],
    ) -> Ahead | None:
        """The place, and the CONV command to bring them after, at which link words cost least.

        None if there is none: commands use other buffer words.

        Parameters
        ----------
        words, links : buffer words and words of the link
        within, taken : buffer words to choose from, but for some
        others : what will be brought ahead, too
        """
        best: Ahead | None = None
        used = list(taken)
        extra = [(other.after, other.links) for other in others]
        without = self._ends(extra)
        for event in reversed(self._events):
            gaps = (
                (wait, first_gap(words, within, (*used, *open_)))
                for wait, open_ in event.open.items()
            )
            wait, address = next(((w, gap) for w, gap in gaps if gap is not None), (None, 0))
            used += event.spans
            if wait is None:
                continue
            waits = self._later(self._ends([*extra, (event, links)]), without)
            if best is None or waits < best.waits:
                best = Ahead(address, (address, address + words), links, event, wait, waits)
            if not waits:
                break
        return best

    def bring(self, ahead: Ahead, parts: Iterable[Words]) -> None:
        """Words that LOAD commands are made of go where `ahead` found a place for them."""
        event = ahead.after
        at = 1 + next(n for n, part in enumerate(event.parts) if part is event.command)
        event.parts[at:at] = parts
        event.brought += ahead.links
        self._events.insert(1 + self._events.index(event), Event((ahead.span,)))

    def _later(self, after: tuple[int, int], before: tuple[int, int]) -> int:
        """Cycles by which the array is later, and those that the link's lead misses.

        The lead fills the filters' queue before the next command.
        """
        link, array = after
        lead = max(_LEAD, self._queue)
        return max(0, array - before[1]) + max(0, link - max(before[0], array - lead))

    def _ends(self, extra: Sequence[tuple[Event, int]]) -> tuple[int, int]:
        """Cycles until the link and the array are done; `extra`: words brought after events."""
        link = array = begun = 0
        for event in self._events:
            if event.command is None:
                link += event.words
                if event.waits:
                    link = array = max(link, array)
                continue
            begun = max(array, link, begun)
            late = event.work.cycles * max(event.words - self._queue, 0) // max(event.words, 1)
            link = max(link + event.words, begun + late)
            array = max(begun + event.work.cycles, link)
            brought = event.brought + sum(links for after, links in extra if after is event)
            link += _written(brought, array - link, event.work)
        return link, array


def first_gap(words: int, within: Span, used: Iterable[Span]) -> int | None:
    """The first of so many buffer words in a row that nobody uses, or None."""
    address, end = within
    for begin, last in sorted(used):
        if begin >= address + words:
            break
        address = max(address, last)
    return address if address + words <= end else None


def _written(words: int, rest: int, work: Work) -> int:
    """Cycles in which words are written beside a command that goes on for the rest.

    Its results have priority.
    """
    cycles, writes = max(work.cycles, 1), min(work.writes, work.cycles)
    free = rest * (cycles - writes) // cycles
    if words < free:
        return words * rest // free
    return words + rest - free
