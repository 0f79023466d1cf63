"""A slice of the link campaign, and proof that it can fail."""

import pytest

from hw.arch.commands import Status
from hw.arch.frames import LinkOpcode
from sim.framed_device import FramedDevice, Loopback
from sim.framed_rtl import FramedRtl, board_library
from sim.replay import FunctionalReplayer
from sw_driver.protocol.errors import LinkTimeoutError
from sw_driver.protocol.framed import FramedClient
from tests.campaigns.link import memory
from tests.campaigns.link.campaign import PROFILES, campaign
from tests.campaigns.link.channel import Faults, SimulatedTransport
from tests.campaigns.link.memory import CountingBoard, memory_campaign

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


@pytest.mark.parametrize("name", ["bit errors 1e-4", "everything"])
def test_a_memory_behind_the_line(name):
    outcome = memory_campaign(CountingBoard(), PROFILES[name], size=400_000, seed=SEED)
    assert (outcome.corrupted, outcome.repeated) == (0, 0)
    assert outcome.retries > 15 and outcome.words > 5_000


class Eager(FunctionalReplayer):
    """Executes a RUN although it has the number of the last one."""

    def _run(self, fields):
        self._last = None
        super()._run(fields)


class Trusting(FunctionalReplayer):
    """Does not compare the image with its CRC-32."""

    def _report(self, number, status, value, tag=0):
        status = Status.OK if status is Status.BAD_IMAGE else status
        super()._report(number, status, value, tag)


@pytest.mark.parametrize("wrong", [Eager, Trusting])
def test_a_replayer_that_is_wrong_is_seen(monkeypatch, wrong):
    monkeypatch.setattr(memory, "FunctionalReplayer", wrong)
    outcome = memory_campaign(CountingBoard(), Faults(), size=200_000, seed=SEED)
    assert outcome.repeated if wrong is Eager else outcome.corrupted


def test_an_unplugged_link_is_noticed_within_two_seconds():
    transport = SimulatedTransport(FramedDevice(Loopback()), Faults(), SEED)
    link = FramedClient(lambda: transport)
    transport.unplugged = True
    start = transport.now()
    with pytest.raises(LinkTimeoutError, match="unplugged"):
        link.receive(1)
    assert transport.now() - start < 2
