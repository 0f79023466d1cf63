"""URLs of boards, and the lines behind them: TCP and pseudo-terminals with a device's model."""

import os
import socket
import sys
import threading
import time
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from urllib.parse import urlsplit

import numpy as np
import pytest

from hw.arch.commands import MAGIC
from hw.arch.config.file import config_hash
from hw.arch.errors import RowforgeError
from hw.arch.registers import Register
from sim.framed_device import FramedDevice, LinkPort
from sim.functional import FunctionalAccelerator
from sim.virtual_board import serve_pty, serve_tcp
from sw_driver import boards
from sw_driver.accelerator import Accelerator
from sw_driver.protocol import errors
from sw_driver.transports import pynq
from tests.sw_driver.scripted import CONFIG, SHAPE, make_program
from tests.thorough import thorough

OPENERS = {"tcp": boards.open_tcp, "pty": boards.open_serial}


def images(count):
    return np.random.default_rng(7).integers(-128, 128, (count, *SHAPE[1:])).astype(np.int8)


@contextmanager
def virtual_board(kind, *, work=0.0):
    """A served model; yields its URL and an event that holds all answers back while it is set.

    `work`: seconds that every reply takes.
    """
    port = LinkPort(lambda: FunctionalAccelerator(CONFIG))
    device = FramedDevice(port, config_hash=config_hash(CONFIG))
    ready, stop, silent, urls = threading.Event(), threading.Event(), threading.Event(), []

    def announce(url):
        urls.append(url)
        ready.set()

    class Silent:
        def feed(self, data, alive=None):
            end = time.monotonic() + work
            while time.monotonic() < end and alive is not None:
                time.sleep(0.02)
                alive(0)
            answer = device.feed(data)
            return b"" if silent.is_set() else answer

    def serve():
        if kind == "tcp":
            serve_tcp(Silent(), 0, announce, stop.is_set)
        else:
            serve_pty(Silent(), announce, stop.is_set)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert ready.wait(5)
        yield urls[0], silent
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("kind", ["tcp", "pty"])
def test_the_same_driver_over_every_line(kind):
    with virtual_board(kind) as (url, silent):
        x = images(3)
        for _ in range(2):
            with Accelerator.open(url) as device:
                device.load(make_program())
                assert (device.run(x) == np.maximum(x, 0)[:, ::-1]).all()


@pytest.mark.parametrize("kind", ["tcp", "pty"])
def test_a_second_client_is_refused_politely(kind):
    with virtual_board(kind) as (url, silent), Accelerator.open(url) as device:
        with pytest.raises(errors.LinkBusyError, match="in use by another client"):
            Accelerator.open(url)
        device.load(make_program())
        assert device.run(images(1)).shape == SHAPE


@pytest.mark.parametrize("kind", ["tcp", "pty"])
def test_an_unplugged_line_is_an_exception_within_two_seconds(kind):
    with virtual_board(kind) as (url, silent), Accelerator.open(url) as device:
        device.load(make_program())
        silent.set()
        start = time.monotonic()
        with pytest.raises(errors.LinkTimeoutError, match="unplugged"):
            device.run(images(1))
        assert time.monotonic() - start < 2
        silent.clear()
        assert device.run(images(1)).shape == SHAPE


@pytest.mark.slow
@pytest.mark.parametrize("kind", thorough(["tcp"], ["tcp", "pty"]))  # it sleeps for seconds
def test_a_slow_simulation_is_alive(kind):
    """Longer than a silence may last; a second client is refused meanwhile."""
    with virtual_board(kind, work=1.8) as (url, silent):
        link = OPENERS[kind](urlsplit(url))
        if kind == "tcp":
            turned_away = []

            def knock():
                with pytest.raises(errors.LinkBusyError, match="in use"):
                    Accelerator.open(url)
                turned_away.append(time.monotonic())

            thread = threading.Thread(target=knock)
            thread.start()
        link.device_status()
        if kind == "tcp":
            thread.join()
            assert turned_away[0] < time.monotonic() - 0.5
        assert link.statistics.damaged == 0
        link.close()


def test_a_line_that_is_closed_is_an_exception_at_once():
    with virtual_board("tcp") as (url, silent):
        device = Accelerator.open(url)
        device.load(make_program())
    start = time.monotonic()
    with pytest.raises(errors.LinkError, match="closed at the other end|is broken"):
        device.run(images(1))
    assert time.monotonic() - start < 1
    with pytest.raises(errors.LinkError, match="cannot connect"):
        device.run(images(1))
    device.close()


def test_a_port_that_is_taken_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(RowforgeError, match="cannot listen on"):
            serve_tcp(None, taken.getsockname()[1], print)


@pytest.mark.parametrize(
    "url, words",
    [
        ("tcp://", "must be tcp://host:port"),
        ("tcp://host", "must be tcp://host:port"),
        ("tcp://host:99999", "must be tcp://host:port"),
        ("tcp://host:1/x", "must be tcp://host:port"),
        ("tcp://host:1?speed=3", "has the options patience, not speed"),
        ("tcp://host:1?patience=soon", "patience must be a positive number, not 'soon'"),
        ("serial:", "must be serial:///dev/..."),
        ("serial://ttyUSB0", "must be serial:///dev/..."),
        ("serial:///dev/null?baud=1234567", "baud must be a speed of the system, not 1234567"),
        ("serial:///dev/null?baud=-1", "baud must be a positive number"),
        ("pynq:x.bit?speed=1", "must be pynq:FILE.bit"),
        ("pynq:x.bit", "needs the Python package pynq"),
    ],
)
def test_urls_that_mean_nothing_are_refused(url, words):
    with pytest.raises(RowforgeError, match=words):
        Accelerator.open(url)


def test_a_line_that_is_not_there_is_named(tmp_path):
    with pytest.raises(errors.LinkError, match="cannot open .*/absent: No such file"):
        Accelerator.open(f"serial://{tmp_path}/absent")
    with pytest.raises(errors.LinkError, match="/dev/null is no serial line"):
        Accelerator.open("serial:///dev/null")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(errors.LinkError, match=f"cannot connect to tcp://127.0.0.1:{port}"):
        Accelerator.open(f"tcp://127.0.0.1:{port}")


# ---- pynq ---------------------------------------------------------------------------------------


class FakeOverlay:
    """Stands for the package and the overlay: DMA channels around an executor."""

    def __init__(self):
        self.ip_dict = {"axi_dma_0": {}, "rowforge_0": {}}
        self.axi_dma_0 = SimpleNamespace(
            sendchannel=SimpleNamespace(transfer=self._take, idle=True),
            recvchannel=SimpleNamespace(transfer=self._want, idle=True),
        )
        self.rowforge_0 = self
        self.device = FunctionalAccelerator(CONFIG)
        self.wanted = None

    def read(self, register):
        halves = {Register.MAGIC_LOW: MAGIC & 0xFFFFFFFF, Register.MAGIC_HIGH: MAGIC >> 32}
        return halves.get(register, 0)

    def write(self, register, value):
        if register == Register.CONTROL:
            self.device = FunctionalAccelerator(CONFIG)
        if register == Register.PACKET:
            buffer, count = self.wanted
            assert count == value
            buffer[:count] = self.device.receive(count)

    def _take(self, buffer, nbytes):
        self.device.send(np.array(buffer[: nbytes // 8]))

    def _want(self, buffer, nbytes):
        self.wanted = buffer, nbytes // 8


class Buffer(np.ndarray):
    def freebuffer(self):
        pass


@pytest.fixture
def package(monkeypatch):
    module = ModuleType("pynq")
    overlay = FakeOverlay()
    module.Overlay = lambda bitstream: overlay
    module.allocate = lambda shape, dtype: np.zeros(shape, dtype).view(Buffer)
    monkeypatch.setitem(sys.modules, "pynq", module)
    return overlay


def test_pynq_moves_words_by_dma(package):
    with Accelerator.open("pynq:design.bit") as device:
        assert device.config == CONFIG
        device.load(make_program())
        x = images(3)
        assert (device.run(x) == np.maximum(x, 0)[:, ::-1]).all()


def test_pynq_refuses_another_overlay(package):
    with pytest.raises(RowforgeError, match="must have a part other"):
        pynq.PynqLink("design.bit", dma="other")
    package.read = lambda register: 0
    with pytest.raises(errors.ProtocolError, match="not answer as a Rowforge"):
        pynq.PynqLink("design.bit")


def test_descriptors_are_given_back():
    with virtual_board("pty") as (url, silent):
        before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        for _ in range(3):
            Accelerator.open(url).close()
        after = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        assert after == before
