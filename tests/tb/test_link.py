"""The framed link's blocks on the emitted Verilog, with random stalls."""

import pytest

from tb.cases import link
from tb.cases.case import Demand
from tests.thorough import thorough

DEMAND = Demand(seed="test")


@pytest.mark.parametrize(
    "make",
    [link.encoder, link.decoder, link.sealer, link.receiver, link.packet_fifo],
    ids=lambda make: make.__name__,
)
def test_blocks(make):
    make(DEMAND).run()


@pytest.mark.slow
def test_uart_with_models_of_a_third_party():
    link.over_the_pins(baud=thorough(4_000_000, 2_000_000)).run()  # whole cycles a bit in both


@pytest.mark.slow
@pytest.mark.parametrize("baud", [3_000_000, 921_600])
def test_uart(baud):
    for case in link.uart(baud, DEMAND):
        case.run()
