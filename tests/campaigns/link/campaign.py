"""One campaign: words through the driver, a faulty line and a device that sends them back."""

from dataclasses import dataclass, field
from random import Random

import numpy as np

from hw.arch.frames import LinkOpcode
from sw_driver.protocol.framed import FramedClient
from tests.campaigns.link.channel import Device, Faults, SimulatedTransport

PROFILES = {
    "clean": Faults(),
    "bit errors 1e-6": Faults(bit_error=1e-6),
    "bit errors 1e-4": Faults(bit_error=1e-4),
    "drops": Faults(drop=0.01, drop_bytes=0.01),
    "duplicates": Faults(duplicate=0.05),
    "reordering": Faults(reorder=0.02, duplicate=0.02),
    "truncation": Faults(truncate=0.01),
    "garbage": Faults(garbage=0.05),
    "everything": Faults(
        bit_error=1e-5,
        drop=0.015,
        drop_bytes=0.015,
        duplicate=0.02,
        reorder=0.02,
        truncate=0.015,
        garbage=0.02,
    ),
}

_LONGEST = 3000  # words of one transfer
_IN_ORDER = 0.25  # share of the transfers whose results are fetched only with the next ones
_RESETS = 0.05
_OPENINGS = 0.02
_PATIENCE = 5.0  # simulated seconds


@dataclass
class Outcome:
    """What a campaign saw; `corrupted` and `repeated` must be 0."""

    bytes: int = 0
    words: int = 0
    understood: int = 0
    retries: int = 0
    damaged: int = 0
    sessions: int = 1
    corrupted: int = 0
    repeated: int = 0
    faults: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        return (
            f"{self.bytes:,} bytes on the line, {self.words:,} words each way, "
            f"{self.sessions} sessions, {self.understood:,} requests arrived whole, "
            f"{self.retries:,} retries, {self.damaged:,} replies damaged; "
            f"faults: {faults or 'none'}; "
            f"{self.corrupted} undetected corruptions, {self.repeated} operations executed twice"
        )


def campaign(device: Device, faults: Faults, *, size: int, seed: str) -> Outcome:
    """Send random words and compare what comes back, until `size` bytes were on the line.

    A word that comes back wrong is an undetected corruption; a word too many was executed twice.
    """
    random, outcome = Random(seed), Outcome()
    rng = np.random.default_rng(random.getrandbits(64))
    transport = SimulatedTransport(device, faults, seed)
    link = FramedClient(lambda: transport, patience=_PATIENCE)
    owed = np.zeros(0, dtype=np.uint64)

    def fetch() -> None:
        nonlocal owed
        came = link.receive(len(owed))
        outcome.corrupted += int((came != owed).sum())
        outcome.words += len(owed)
        owed = owed[:0]

    while transport.out.bytes + transport.back.bytes < size:
        words = _words(rng, random)
        link.send(words)
        owed = np.concatenate([owed, words])
        if random.random() >= _IN_ORDER or len(owed) > _LONGEST:
            fetch()
            if random.random() < _RESETS:
                outcome.repeated += _left_over(link)
                link.reset()
            elif random.random() < _OPENINGS:
                outcome.repeated += _left_over(link)
                outcome.sessions += 1
                statistics = link.statistics
                link = FramedClient(lambda: transport, patience=_PATIENCE)
                _add(link, statistics)
    fetch()
    outcome.repeated += _left_over(link)
    outcome.bytes = transport.out.bytes + transport.back.bytes
    outcome.understood = transport.understood
    outcome.retries, outcome.damaged = link.statistics.retries, link.statistics.damaged
    for line in (transport.out, transport.back):
        for name, count in line.faults.items():
            outcome.faults[name] = outcome.faults.get(name, 0) + count
    return outcome


def _words(rng: np.random.Generator, random: Random) -> "np.ndarray":
    """Words of all kinds: random, sparse, zeros, without any zero byte."""
    count = random.randint(1, _LONGEST)
    words = rng.integers(0, 1 << 64, count, dtype=np.uint64)
    kind = random.randrange(6)
    if kind == 0:
        words &= rng.integers(0, 1 << 64, count, dtype=np.uint64) & np.uint64(0xFF00FF)
    if kind == 1:
        words[:] = 0
    if kind == 2:
        words |= np.uint64(0x0101010101010101)
    return words


def _left_over(link: FramedClient) -> int:
    """Results that nothing asked for."""
    reply = link._requester.request(LinkOpcode.READ, count=8, wait=16)
    return len(reply.payload) // 8


def _add(link: FramedClient, earlier: object) -> None:
    """Carry the counts of an earlier session on."""
    for name, value in vars(earlier).items():
        setattr(link.statistics, name, getattr(link.statistics, name) + value)
