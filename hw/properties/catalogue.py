"""All properties, and those that concern a design."""

from collections.abc import Iterable

from hw.base.block import Block
from hw.properties.arbiters import ReaderAnswers, ReadsAreGranted, WritesTakeTurns
from hw.properties.buffer import BanksAreShared
from hw.properties.decoder import DecoderAnswers
from hw.properties.harness.blocks import distinct_blocks
from hw.properties.harness.property import Property
from hw.properties.memory_arbiter import BurstsTakeTurns
from hw.properties.multicast import BusDelivers
from hw.properties.nest import NestFollowsItsLoops
from hw.properties.network import NetworkDelivers
from hw.properties.pe.gating import GatingChangesNothing
from hw.properties.pe.skipping import SkippingSendsTheSame
from hw.properties.pe.spads import FiltersStay, IfmapWordsStay
from hw.properties.pe.walk import WalkStays
from hw.properties.psums import WindowsAreWrittenFirst
from hw.properties.queues import DeepQueueOrder, QueueOrder
from hw.properties.requantiser import LaneComputes
from hw.properties.streams import StreamsHold

PROPERTIES: tuple[type[Property], ...] = (
    BusDelivers,
    QueueOrder,
    DeepQueueOrder,
    StreamsHold,
    NetworkDelivers,
    ReadsAreGranted,
    WritesTakeTurns,
    ReaderAnswers,
    BurstsTakeTurns,
    BanksAreShared,
    WalkStays,
    IfmapWordsStay,
    FiltersStay,
    WindowsAreWrittenFirst,
    NestFollowsItsLoops,
    LaneComputes,
    DecoderAnswers,
    GatingChangesNothing,
    SkippingSendsTheSame,
)
"""Every kind of property, by number."""

NUMBERS = tuple(sorted({kind.number for kind in PROPERTIES}))
"""The numbers of docs/proofs.md that have properties."""


def properties_of(tops: Iterable[Block]) -> list[Property]:
    """What is to be proven of some designs: each distinct property once, by number."""
    found: dict[Property, None] = {}
    for top in tops:
        for block in distinct_blocks(top):
            for kind in PROPERTIES:
                found.update(dict.fromkeys(kind.of(block)))
    return sorted(found, key=lambda demand: (demand.number, demand.title, demand.subject))
