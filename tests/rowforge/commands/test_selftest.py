"""The self-test finds a good board good and a bad one bad."""

import numpy as np
import pytest

from hw.arch.config import Config
from hw.arch.config.file import config_hash
from rowforge.running.board_memory import fill_and_compare
from rowforge.selftest import self_test
from sim.framed_device import FramedDevice, LinkPort
from sim.replay import FunctionalReplayer, functional_link
from sim.replay.memory import ReplayMemory
from sw_driver import accelerator
from sw_driver.accelerator import Accelerator, Connection, board, register_transport
from sw_driver.protocol.framed import FramedClient
from sw_driver.replaying import BoardMemory
from tests.campaigns.link.channel import Faults, SimulatedTransport
from tests.rowforge.support import FaultyLink

WORDS = 1 << 10
SDRAM = {"memory.kind": "sdram", "memory.words": 1 << 17}
SMALL = {"buffer.depth": 256, "post.channels": 128}
WIDE = {**SMALL, "array.data_width": 16, "noc.filter": 4}


@pytest.fixture(autouse=True)
def transports(monkeypatch):
    monkeypatch.setattr(accelerator, "_TRANSPORTS", dict(accelerator._TRANSPORTS))


def outcomes(config: Config, *, told: int | None = None) -> dict[str, bool | None]:
    port = LinkPort(lambda: functional_link(config))
    device = FramedDevice(port, config_hash=config_hash(config) if told is None else told)
    line = SimulatedTransport(device, Faults(), "selftest")
    register_transport("sim", board(lambda url: FramedClient(lambda: line)))
    with Accelerator.open("sim:") as opened:
        return {check.name: check.passed for check in self_test(opened, memory_words=WORDS)}


@pytest.mark.parametrize(
    "fields, network", [(SMALL, True), (WIDE, None)], ids=["8 bits", "16 bits"]
)
def test_a_good_board(fields, network):
    wanted = {"identity": True, "memory": True, "arithmetic": True, "network": network}
    assert outcomes(Config.of(fields)) == {**wanted, "link": True}


def test_a_board_with_a_memory_has_it_filled():
    found = outcomes(Config.of({**SMALL, **SDRAM}))
    assert found["board memory"] and found["network"]


class WornMemory(ReplayMemory):
    """Byte `lane` of every fourth word is stuck, or an address bit is."""

    def __init__(self, words, *, lane=None, stuck=0):
        super().__init__(words)
        self.lane, self.stuck = lane, stuck

    def write(self, address, words, after=0):
        for place, word in enumerate(words.tolist(), start=address):
            if self.lane is not None and place % 4 == 3:
                word |= 0xFF << 8 * self.lane
            super().write(place & ~self.stuck, np.array([word], dtype=np.uint64), after)

    def read(self, address, count, *, waited=None):
        places = [place & ~self.stuck for place in range(address, address + count)]
        return np.concatenate([super(WornMemory, self).read(place, 1) for place in places])


@pytest.mark.parametrize(
    ("chip", "fault", "lanes", "first"),
    [
        ("x32_8mb", {"lane": 6}, {2}, 3),
        ("x16_32mb", {"lane": 3}, {1}, 3),
        ("x16_32mb", {"stuck": 1 << 5}, {0, 1}, 0),
        ("x16_32mb", {"stuck": 1 << 9}, {0, 1}, 0),
    ],
)
def test_a_bad_memory_is_found_with_its_byte_lanes(chip, fault, lanes, first):
    config = Config.of({**SDRAM, "memory.chip": chip})
    device = FunctionalReplayer(config)
    device.memory = WornMemory(WORDS, **fault)
    found = fill_and_compare(BoardMemory(device), config.memory, words=WORDS)
    assert {lane for lane, count in enumerate(found.lanes) if count} == lanes
    assert found.first == first and f"the first in word {first:#x}" in str(found)
    device.memory = ReplayMemory(WORDS)
    found = fill_and_compare(BoardMemory(device), config.memory, words=WORDS)
    assert (found.first, sum(found.lanes)) == (None, 0)


def test_a_board_that_tells_another_hash():
    assert not outcomes(Config.of(SMALL), told=5)["identity"]


@pytest.mark.parametrize("block, name", [(0, "memory"), (1, "arithmetic"), (4, "network")])
def test_a_wrong_value_is_found(block, name):
    """One byte of one data block is off by one."""
    config = Config.of(SMALL)
    register_transport(
        "bad", lambda parts: Connection(FaultyLink(config, block=block, byte=5), config)
    )
    with Accelerator.open("bad:") as opened:
        found = {check.name: check.passed for check in self_test(opened)}
    wrong = [check for check, passed in found.items() if passed is False]
    assert wrong == [name]
