"""A slice of the link campaign, and proof that it can fail."""

import pytest

from hw.arch.frames import LinkOpcode
from sim.framed_device import FramedDevice, Loopback
from sim.framed_rtl import FramedRtl, board_library
from sw_driver.protocol.errors import LinkTimeoutError
from sw_driver.protocol.framed import FramedClient
from tests.campaigns.link.campaign import PROFILES, campaign
from tests.campaigns.link.channel import Faults, SimulatedTransport

SEED = "slice"


@pytest.mark.parametrize("name", PROFILES)
def test_the_model(name):
    outcome = campaign(FramedDevice(Loopback()), PROFILES[name], size=500_000, seed=SEED)
    assert (outcome.corrupted, outcome.repeated) == (0, 0)
    rates = PROFILES[name]
    wanted = {fault for fault in vars(rates) if getattr(rates, fault) > 1e-6}
    assert wanted <= set(outcome.faults)
    assert outcome.understood > 150


@pytest.fixture(scope="module")
def library():
    return board_library(None)


@pytest.mark.parametrize("name", ["bit errors 1e-4", "everything"])
def test_the_gateware(library, name):
    device = FramedRtl(library, stall_seed=1)
    outcome = campaign(device, PROFILES[name], size=250_000, seed=SEED)
    device.close()
    assert (outcome.corrupted, outcome.repeated) == (0, 0)
    assert outcome.retries > 15


class Forgetful(FramedDevice):
    """Keeps no reply: does everything again."""

    def _answer(self, request):
        again = request is not None and request.sequence == self._sequence
        if again and request.opcode == LinkOpcode.WRITE:
            self._sequence = (request.sequence - 1) & 0xFFFF
        return super()._answer(request)


class Careless(FramedDevice):
    """Damages a payload before it is sealed, now and then."""

    def _perform(self, request):
        status, payload = super()._perform(request)
        if request.opcode == LinkOpcode.READ and payload and not self.executed % 7:
            payload = bytes([payload[0] ^ 1]) + payload[1:]
        return status, payload


def test_a_second_execution_is_seen():
    outcome = campaign(Forgetful(Loopback()), Faults(duplicate=0.2), size=200_000, seed=SEED)
    assert outcome.corrupted + outcome.repeated > 0


def test_a_corruption_is_seen():
    outcome = campaign(Careless(Loopback()), Faults(), size=200_000, seed=SEED)
    assert outcome.corrupted > 0


def test_an_unplugged_link_is_noticed_within_two_seconds():
    transport = SimulatedTransport(FramedDevice(Loopback()), Faults(), SEED)
    link = FramedClient(lambda: transport)
    transport.unplugged = True
    start = transport.now()
    with pytest.raises(LinkTimeoutError, match="unplugged"):
        link.receive(1)
    assert transport.now() - start < 2
