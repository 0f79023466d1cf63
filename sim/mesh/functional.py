"""Several clusters as a link: an executor for each, and the routes between them."""

from collections import deque

import numpy as np

from hw.arch.commands import (
    ANY_CONFIGURATION,
    BEGIN,
    COMMAND_SET_VERSION,
    HEADER,
    MAGIC,
    RESULT,
    Opcode,
    ResultBlock,
    Status,
    checksum,
)
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.program import Words
from hw.arch.routes import ROUTE, Rectangle, RouteKind
from sim.functional.accelerator import FunctionalAccelerator
from sim.functional.errors import CommandError
from sim.untimed.link import NOTHING, UntimedLink


class FunctionalMesh(UntimedLink):
    """Clusters without time: words are executed by those that their routes name.

    Each cluster checks its commands as a single accelerator does, hazards included. A block that is
    copied must be complete when its route comes: then no order of events changes what is copied.

    Parameters
    ----------
    config : Config
        With several clusters.

    Raises
    ------
    SemanticsError
        From `send`, for a program that breaks a rule which hardware does not check.
    """

    _WHO, _WAITS = "the clusters owe", "they wait"

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.clusters = [FunctionalAccelerator(config) for _ in range(config.clusters.count)]
        self._answers = [NOTHING] * config.clusters.count  # what has not been asked for
        self._expected: deque[tuple[int, bool]] = deque()  # (cluster, its block is not passed on)
        self._guest = False
        self._ends = False  # the last words have come

    # ---- words --------------------------------------------------------------------------------

    def _advance(self) -> bool:
        """Execute what stands first in the input; whether that may have to be repeated."""
        try:
            if not self._begun:
                return self._begin()
            return self._guest_words() if self._guest else self._route()
        except CommandError as error:
            self._reset()
            fields = {"block": ResultBlock.STATUS, "status": error.status, "length": 1}
            self._reply(np.array([*RESULT.pack(fields), error.value], dtype=np.uint64))
            return True

    def _begin(self) -> bool:
        magic = np.flatnonzero(self._input == np.uint64(MAGIC))
        self._take(int(magic[0]) if magic.size else len(self._input))
        if len(self._input) > 1:
            version = BEGIN.unpack([int(self._input[1]), 0])["version"]
            if version != COMMAND_SET_VERSION:
                self._take(2)
                raise CommandError(Status.BAD_VERSION, version)
        if len(self._input) <= BEGIN.words:
            return False
        words = self._take(1 + BEGIN.words)
        hash_ = BEGIN.unpack(words.tolist()[1:])["hash"]
        if hash_ not in (config_hash(self.config), ANY_CONFIGURATION):
            raise CommandError(Status.BAD_CONFIGURATION, hash_)
        self._begun, self._guest, self._ends = True, hash_ == ANY_CONFIGURATION, False
        self._deliver([0] if self._guest else range(len(self.clusters)), words)
        return True

    def _guest_words(self) -> bool:
        """A program for any configuration is that of cluster (0, 0)."""
        if not len(self._input):
            return False
        word = self._take(1)
        self._deliver([0], word)
        if self._begun:
            self._reply(self._answers[0])
            self._answers[0] = NOTHING
            self._begun = HEADER.unpack(word.tolist())["opcode"] != Opcode.END
        return True

    def _route(self) -> bool:
        """Execute the words of a route; whether they were there."""
        if not len(self._input):
            return False
        word = int(self._input[0])
        fields = ROUTE.unpack([word])
        total = checksum(word, ())
        if total != fields["checksum"]:
            self._take(1)
            raise CommandError(Status.BAD_CHECKSUM, total)
        target = self._named(word, fields)
        if len(self._input) < 1 + fields["words"]:
            return False
        words = self._take(1 + fields["words"])[1:]
        kind = RouteKind(fields["kind"])
        if kind is RouteKind.COPIED:
            block = self._copied(fields["source_y"] * self.config.clusters.x + fields["source_x"])
            words = np.concatenate([words, block])
        last = kind is RouteKind.LAST
        if last or kind is RouteKind.ANSWERED:
            self._expected += [(number, last and number != target[-1]) for number in target]
        self._ends = last
        self._deliver(target, words)
        return True

    def _named(self, word: int, fields: dict[str, int]) -> list[int]:
        """Numbers of the clusters that a route names."""
        clusters = self.config.clusters
        area = Rectangle(
            (fields["first_y"], fields["last_y"] + 1), (fields["first_x"], fields["last_x"] + 1)
        )
        source = fields["source_y"], fields["source_x"]
        places = [divmod(number, clusters.x) for number in range(clusters.count)]
        copied = fields["kind"] == RouteKind.COPIED
        found = [
            number
            for number, place in enumerate(places)
            if place in area and not (copied and place == source)
        ]
        exists = area.rows[1] <= clusters.y and area.columns[1] <= clusters.x
        if not (exists and source in places and found):
            self._take(1)
            raise CommandError(Status.BAD_ADDRESS, word)
        return found

    def _copied(self, source: int) -> Words:
        """The words of the block that a cluster has ready for others."""
        self._pass_on()
        block = self._block(source)
        if self._expected or block is None:
            raise CommandError(Status.WATCHDOG, 0)
        kind = RESULT.unpack([int(block[0])])["block"]
        if kind != ResultBlock.DATA:
            raise CommandError(Status.BAD_BLOCK, kind)
        return block[1:]

    def _deliver(self, target: range | list[int], words: Words) -> None:
        """The clusters of the target execute words; what they answer is passed on."""
        for number in target:
            self.clusters[number].send(words)
            answer = self.clusters[number].take_all()
            self._answers[number] = np.concatenate([self._answers[number], answer])
        if not self._failed():
            self._pass_on()

    # ---- results ------------------------------------------------------------------------------

    def _failed(self) -> bool:
        """Whether a cluster has reported an error, which then ends the program for all."""
        for words in self._answers:
            at = 0
            while at < len(words):
                header = RESULT.unpack([int(words[at])])
                if header["block"] == ResultBlock.STATUS and header["status"] != Status.OK:
                    self._pass_on()
                    self._reply(words[at : at + 2])
                    self._reset()
                    return True
                at += 1 + header["length"]
        return False

    def _pass_on(self) -> None:
        """The blocks that are expected, as far as they are there."""
        while self._expected:
            number, dropped = self._expected[0]
            block = self._block(number)
            if block is None:
                return
            self._expected.popleft()
            if not dropped:
                self._reply(block)
        if self._ends:
            self._begun = self._ends = False

    def _block(self, number: int) -> Words | None:
        """The next block of a cluster, its header included; None if it has none."""
        words = self._answers[number]
        if not len(words):
            return None
        size = 1 + RESULT.unpack([int(words[0])])["length"]
        self._answers[number] = words[size:]
        return words[:size]

    def _reset(self) -> None:
        """After an error."""
        self.clusters = [FunctionalAccelerator(self.config) for _ in self.clusters]
        self._answers = [NOTHING] * len(self.clusters)
        self._expected.clear()
        self._begun = False

    def _take(self, count: int) -> Words:
        words, self._input = self._input[:count], self._input[count:]
        return words

    def _reply(self, words: Words) -> None:
        self._give(words)
