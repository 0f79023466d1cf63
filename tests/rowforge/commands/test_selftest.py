"""The self-test finds a good board good and a bad one bad."""

import pytest

from hw.arch.config import Config
from hw.arch.config.file import config_hash
from rowforge.selftest import self_test
from sim.framed_device import FramedDevice, LinkPort
from sim.functional import FunctionalAccelerator
from sw_driver import accelerator
from sw_driver.accelerator import Accelerator, Connection, board, register_transport
from sw_driver.protocol.framed import FramedClient
from tests.campaigns.link.channel import Faults, SimulatedTransport
from tests.rowforge.support import FaultyLink

SMALL = {"buffer.depth": 256, "post.channels": 128}
WIDE = {**SMALL, "array.data_width": 16, "noc.filter": 4}


@pytest.fixture(autouse=True)
def transports(monkeypatch):
    monkeypatch.setattr(accelerator, "_TRANSPORTS", dict(accelerator._TRANSPORTS))


def outcomes(config: Config, *, told: int | None = None) -> dict[str, bool | None]:
    port = LinkPort(lambda: FunctionalAccelerator(config))
    device = FramedDevice(port, config_hash=config_hash(config) if told is None else told)
    line = SimulatedTransport(device, Faults(), "selftest")
    register_transport("sim", board(lambda url: FramedClient(lambda: line)))
    with Accelerator.open("sim:") as opened:
        return {check.name: check.passed for check in self_test(opened)}


@pytest.mark.parametrize(
    "fields, network", [(SMALL, True), (WIDE, None)], ids=["8 bits", "16 bits"]
)
def test_a_good_board(fields, network):
    wanted = {"identity": True, "memory": True, "arithmetic": True, "network": network}
    assert outcomes(Config.of(fields)) == {**wanted, "link": True}


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
