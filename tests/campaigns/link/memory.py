"""Faults on the line of a device with a memory: frames with WRITE, READ and RUN."""

from random import Random

import numpy as np

from hw.arch.commands import ResultBlock, Status
from hw.arch.images.messages import Message, message
from hw.arch.images.records import RecordKind, record
from sim.framed_device import FramedDevice, LinkPort
from sim.replay import FunctionalReplayer
from sw_driver.protocol.errors import ProgramError
from sw_driver.protocol.framed import FramedClient
from sw_driver.results import RUN_WORDS, ResultReader
from tests.campaigns.link.campaign import Outcome
from tests.campaigns.link.channel import Faults, SimulatedTransport
from tests.hw.replay.bench import DATA, END, WORDS, FunctionalCore, config, core_word, image

IMAGE_AT, DATA_AT, BLOCK_AT, BLOCK = 16, 128, 1000, 5
_IGNORED = tuple(0x1111 * place for place in range(8))  # of the core: only the CRC-32 sees them
CONFIG = config()
IMAGE = np.array(
    image(
        CONFIG,
        [
            *record(RecordKind.SCATTER, address=BLOCK_AT, run=BLOCK),
            *record(RecordKind.INLINE, run=len(_IGNORED) + 2),
            *(*_IGNORED, core_word(DATA, BLOCK), core_word(END)),
        ],
        1,
    ),
    dtype=np.uint64,
)
"""Each replay of it writes a data block that tells how many came before."""

_DAMAGED = 0.15  # share of RUNs before which a bit of the image is turned over in the memory
_AGAIN = 0.2  # share of RUNs that are asked for a second time by their number
_PATIENCE = 5.0  # simulated seconds


class CountingBoard:
    """A board whose core counts the data blocks it gives; memory and count outlive a reset."""

    def __init__(self) -> None:
        self.blocks = 0
        self.memory = FunctionalReplayer(CONFIG).memory
        self.device = FramedDevice(LinkPort(self._replayer))

    def _replayer(self) -> FunctionalReplayer:
        replayer = FunctionalReplayer(CONFIG, make_core=self._core)
        replayer.memory = self.memory
        return replayer

    def _core(self) -> FunctionalCore:
        board = self

        class Counting(FunctionalCore):
            """Goes on with the count of the cores before."""

            def send(self, words: np.ndarray) -> None:
                self.core.serial = board.blocks
                super().send(words)
                board.blocks = self.core.serial

        return Counting()


class _Host:
    """What the host has asked for, and what it knows must be in the memory."""

    def __init__(self, link: FramedClient, outcome: Outcome, random: Random) -> None:
        self.link, self.outcome, self.random = link, outcome, random
        self.held = np.zeros(WORDS, dtype=np.uint64)
        self.number = self.runs = 0

    def tell(self, kind: Message, address: int, count: int, payload=(), **fields: int) -> None:
        head = message(kind, address=address, words=count, **fields)
        self.link.send(np.array([*head, *payload], dtype=np.uint64))

    def write(self, address: int, words: np.ndarray) -> None:
        self.tell(Message.WRITE, address, len(words), words.tolist())
        self.held[address : address + len(words)] = words

    def read(self, address: int, count: int) -> None:
        """Compare words of the memory."""
        found: list[np.ndarray] = []
        self.tell(Message.READ, address, count)
        results = ResultReader(self.link)
        results.receive_until(results.expect(ResultBlock.MEMORY, count, found.append))
        self.outcome.corrupted += int((found[0] != self.held[address : address + count]).sum())
        self.outcome.words += count

    def run(self, *, good: bool) -> None:
        """Replay the image; a damaged one must end with an error."""
        self.number = self.number % 0xFFFF + 1
        for _ in range(1 + (self.random.random() < _AGAIN)):
            self.tell(Message.RUN, IMAGE_AT, len(IMAGE), number=self.number)
            results = ResultReader(self.link)
            status = Status.OK
            try:
                results.receive_until(
                    results.expect(ResultBlock.RUN, RUN_WORDS, lambda words: None)
                )
            except ProgramError as error:
                status = error.status
            if (status is Status.OK) != good:
                self.outcome.corrupted += 1


def memory_campaign(board: CountingBoard, faults: Faults, *, size: int, seed: str) -> Outcome:
    """WRITE, READ and RUN at random, until `size` bytes were on the line.

    Every word that is read is compared. A RUN that is executed twice, or not at all, shows in the
    number of blocks that the core has given; one of a damaged image that ends well is a corruption.
    """
    random, outcome = Random(seed), Outcome()
    rng = np.random.default_rng(random.getrandbits(64))
    transport = SimulatedTransport(board.device, faults, seed)
    host = _Host(FramedClient(lambda: transport, patience=_PATIENCE), outcome, random)
    host.write(0, rng.integers(0, 1 << 64, WORDS, dtype=np.uint64))
    host.write(IMAGE_AT, IMAGE)
    while transport.out.bytes + transport.back.bytes < size:
        _round(host, board, random, rng)
    outcome.bytes = transport.out.bytes + transport.back.bytes
    outcome.understood = transport.understood
    outcome.retries = host.link.statistics.retries
    for line in (transport.out, transport.back):
        for name, count in line.faults.items():
            outcome.faults[name] = outcome.faults.get(name, 0) + count
    return outcome


def _round(host: _Host, board: CountingBoard, random: Random, rng: np.random.Generator) -> None:
    kind = random.randrange(3)
    address = random.randrange(DATA_AT, BLOCK_AT)
    count = random.randint(1, BLOCK_AT - address)
    if kind == 0:
        host.write(address, rng.integers(0, 1 << 64, count, dtype=np.uint64))
    elif kind == 1:
        host.read(address, count)
    else:
        _replay(host, board, random)


def _replay(host: _Host, board: CountingBoard, random: Random) -> None:
    """One RUN, perhaps of a damaged image; the block that it wrote is read."""
    damaged = random.random() < _DAMAGED
    if damaged:
        # Not what the core obeys: which rules that breaks is the core's matter.
        obeyed = (len(IMAGE) - 3, len(IMAGE) - 2)
        place = random.choice([at for at in range(len(IMAGE)) if at not in obeyed])
        bit = random.randrange(64)
        wrong = IMAGE[place : place + 1] ^ np.uint64(1 << bit)
        host.write(IMAGE_AT + place, wrong)
    before = board.blocks
    host.run(good=not damaged)
    host.outcome.repeated += max(board.blocks - before - 1, 0)
    if damaged:
        host.write(IMAGE_AT, IMAGE)
        # What a damaged image did before its end was found is nobody's business but its own.
        host.held[BLOCK_AT : BLOCK_AT + BLOCK] = board.memory.read(BLOCK_AT, BLOCK)
        return
    host.runs += 1
    host.outcome.corrupted += board.blocks == before  # it was never executed
    first = 1000 * before
    host.held[BLOCK_AT : BLOCK_AT + BLOCK] = range(first, first + BLOCK)
    host.read(BLOCK_AT, BLOCK)
