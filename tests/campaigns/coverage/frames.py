"""Frames through the framed link before a queue, whole and damaged; each reply is compared."""

from pathlib import Path
from tempfile import TemporaryDirectory

from sim.coverage.library import CoveredLibrary
from sim.coverage.points import Hits, read_points
from sim.framed_device import FramedDevice, Loopback
from sim.framed_rtl import FramedRtl
from sw_driver.protocol.frames import FrameReader
from tests.sim.framed_client import LOOP_WORDS, Client, comparable

_LONGEST = 5000  # bytes of a reply


def run(covered: CoveredLibrary, seed: int, count: int) -> Hits:
    """What so many frames reach, half of them with streams that stall.

    Raises `AssertionError` if the gateware answers other than its model.
    """
    gateware = FramedRtl(covered.library, seed=seed)
    gateware.engine.clear_coverage()
    try:
        for part in range(2):
            gateware.reset()
            gateware.stall(seed if part else None)
            _exchange(gateware, Client(f"{seed}:{part}"), count // 2)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "coverage.dat"
            gateware.engine.write_coverage(path)
            return read_points(path, covered.design, from_reset=True)
    finally:
        gateware.close()


def _exchange(gateware: FramedRtl, client: Client, count: int) -> None:
    model = FramedDevice(Loopback(LOOP_WORDS))
    readers = FrameReader(longest=_LONGEST), FrameReader(longest=_LONGEST)
    for number in range(count):
        line = client.next()
        expected = [comparable(frame) for frame in readers[0].feed(model.feed(line))]
        actual = [comparable(frame) for frame in readers[1].feed(gateware.feed(line))]
        assert actual == expected, f"frame {number}: {line.hex()}"
