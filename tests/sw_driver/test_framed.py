"""The driver over the framed link, against the device's Python model."""

from dataclasses import replace

import numpy as np
import pytest

from hw.arch.commands import Opcode, command
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.errors import RowforgeError
from hw.arch.frames import LinkOpcode, LinkStatus
from hw.arch.program import Send
from sim.framed_device import FramedDevice, LinkPort, Loopback
from sim.functional import FunctionalAccelerator
from sw_driver import accelerator
from sw_driver.accelerator import Accelerator, board, register_transport
from sw_driver.protocol import errors
from sw_driver.protocol.framed import FramedClient, FrameWindow
from sw_driver.protocol.frames import Frame, encode_frame
from tests.campaigns.link.channel import Faults, SimulatedTransport
from tests.sw_driver.scripted import CONFIG, SHAPE, make_program

CLEAN = Faults()
BAD = Faults(bit_error=2e-4, drop=0.03, duplicate=0.05, reorder=0.03, truncate=0.02, garbage=0.05)


@pytest.fixture(autouse=True)
def transports(monkeypatch):
    monkeypatch.setattr(accelerator, "_TRANSPORTS", {})


def images(count):
    return np.random.default_rng(count).integers(-128, 128, (count, *SHAPE[1:])).astype(np.int8)


def relu_and_turn(x):
    return np.maximum(x, 0)[:, ::-1]


class Board:
    """A device that outlives its connections."""

    def __init__(self, config=CONFIG, *, faults=CLEAN):
        port = LinkPort(lambda: FunctionalAccelerator(config))
        self.device = FramedDevice(port, config_hash=config_hash(config))
        self.faults = faults
        self.lines = []

    def connect(self):
        line = SimulatedTransport(self.device, self.faults, f"line {len(self.lines)}")
        self.lines.append(line)
        return line

    def open(self):
        register_transport("sim", board(lambda url: FramedClient(self.connect)))
        return Accelerator.open("sim:")


@pytest.mark.parametrize("faults", [CLEAN, BAD], ids=["clean", "bad"])
def test_programs_run(faults):
    target = Board(faults=faults)
    with target.open() as device:
        assert device.config == CONFIG
        device.load(make_program())
        x, told = images(5), []
        y = device.run(x, progress=lambda done, total: told.append((done, total)))
        assert (y == relu_and_turn(x)).all()
        assert told == [(i, 5) for i in range(1, 6)]
        assert sorted(device.counters()) == [0, 2]
        futures = [device.submit(x[i : i + 1]) for i in range(5)]
        assert all(
            (future.result() == relu_and_turn(x[i : i + 1])).all()
            for i, future in enumerate(futures)
        )
        statistics = device.link.statistics
    assert (statistics.retries > 0) == (faults is BAD)


def test_the_next_input_is_on_its_way_while_one_computes():
    with Board().open() as device:
        device.load(make_program())
        link, sent, sent_before = device.link, [0], []
        send, receive = link.send, link.receive
        link.send = lambda words: (sent.append(sent[-1] + len(words)), send(words))
        link.receive = lambda count: (sent_before.append(sent[-1]), receive(count))[1]
        device.run(images(1))
        one, receives = sent[-1], len(sent_before)
        del sent[1:], sent_before[:]
        device.run(images(2))
    assert sent[-1] == 2 * one and len(sent_before) == 2 * receives
    assert sent_before[receives - 1] > one  # when the first input's last word is received


def test_an_error_of_a_program_leaves_a_usable_board():
    with Board().open() as device:
        program = make_program()
        steps = list(program.steps)
        steps[1] = Send(np.array(command(Opcode.END, length=5), dtype=np.uint64))
        device.load(replace(program, steps=tuple(steps)))
        with pytest.raises(errors.ProgramError):
            device.run(images(3))
        device.load(program)
        x = images(2)
        assert (device.run(x) == relu_and_turn(x)).all()


def test_a_broken_link_is_an_error_and_the_next_run_connects_again():
    target = Board()
    with target.open() as device:
        device.load(make_program())
        target.lines[0].unplugged = True
        start = target.lines[0].now()
        with pytest.raises(errors.LinkTimeoutError, match="no answer for 1.* s"):
            device.run(images(1))
        assert target.lines[0].now() - start < 2
        x = images(1)
        assert (device.run(x) == relu_and_turn(x)).all()
    assert len(target.lines) == 2


def test_a_new_client_takes_over_and_the_stale_one_is_told():
    target = Board()
    old, new = target.open(), target.open()
    for device in (old, new):
        device.load(make_program())
    x = images(1)
    assert (new.run(x) == relu_and_turn(x)).all()
    for _ in range(2):  # it does not take the board back by itself
        with pytest.raises(errors.SessionLostError, match="another client has opened the board"):
            old.run(x)
        assert (new.run(x) == relu_and_turn(x)).all()


def test_a_board_that_was_restarted_is_opened_again():
    target = Board()
    with target.open() as device:
        device.load(make_program())
        x = images(1)
        target.device._session = 0
        with pytest.raises(errors.SessionLostError, match="the board was restarted"):
            device.run(x)
        assert (device.run(x) == relu_and_turn(x)).all()


def test_a_client_that_died_in_mid_program_leaves_a_usable_board():
    target = Board()
    dead = target.open()
    dead.link.send(np.concatenate([step.words for step in make_program().steps[:4]]))
    dead.link._write()
    target.device.feed(b"\x30unfinished")
    with target.open() as device:
        device.load(make_program())
        x = images(2)
        assert (device.run(x) == relu_and_turn(x)).all()


def test_a_program_of_another_configuration_says_what_differs_and_what_helps():
    with Board(Config.of({"array.rows": 3})).open() as device:
        device.load(make_program())
        with pytest.raises(RowforgeError, match="rows: 3 here, 4 there; compile the model again"):
            device.run(images(1))


def test_another_protocol_version_is_named():
    class Newer(FramedDevice):
        def _answer(self, request):
            frame = Frame(request.opcode | 0x80, LinkStatus.BAD_VERSION, request.sequence)
            return encode_frame(replace(frame, version=9))

    line = SimulatedTransport(Newer(Loopback()), Faults(), "version")
    with pytest.raises(errors.ProtocolError, match="version 9 of the link protocol"):
        FramedClient(lambda: line)


def test_a_board_in_use_refuses():
    class Taken(FramedDevice):
        def _answer(self, request):
            return encode_frame(Frame(0x80, LinkStatus.IN_USE, request.sequence))

    line = SimulatedTransport(Taken(Loopback()), Faults(), "taken")
    with pytest.raises(errors.LinkBusyError, match="in use by another client"):
        FramedClient(lambda: line)


def test_another_device_is_refused():
    class Stranger(FramedDevice):
        def _account(self):
            return bytes(40)

    line = SimulatedTransport(Stranger(Loopback()), Faults(), "stranger")
    with pytest.raises(errors.ProtocolError, match="not answer as a Rowforge"):
        FramedClient(lambda: line)


def test_a_hopeless_line_is_named():
    line = SimulatedTransport(FramedDevice(Loopback()), Faults(), "hopeless")
    link = FramedClient(lambda: line)
    line.back._rates = Faults(bit_error=0.05)
    line.back._next_error = 0
    with pytest.raises(errors.LinkCorruptedError, match="64 tries"):
        link.receive(1)


def test_a_long_request_that_does_not_get_through_is_cut():
    device = FramedDevice(Loopback())
    line = SimulatedTransport(device, Faults(), "long")
    link = FramedClient(lambda: line)

    class Jammed:
        """Damages whatever is longer than 200 bytes."""

        def feed(self, data):
            return device.feed(data[:-9] + b"\0" if len(data) > 200 else data)

    line._device = Jammed()
    words = np.arange(1000, dtype=np.uint64)
    line._check_answer = lambda chunk, replies: None
    link.send(words)
    assert (link.receive(1000) == words).all()
    assert link.statistics.withdrawn >= 1


def test_a_full_board_is_waited_for_and_its_results_are_fetched():
    device = FramedDevice(Loopback(capacity=300))
    line = SimulatedTransport(device, Faults(), "full")
    link = FramedClient(lambda: line)
    words = np.arange(5000, dtype=np.uint64)
    link.send(words)
    assert (link.receive(5000) == words).all()


def test_an_accelerator_that_stands_still_is_named():
    line = SimulatedTransport(FramedDevice(Loopback()), Faults(), "still")
    link = FramedClient(lambda: line, patience=3.0)
    with pytest.raises(errors.LinkTimeoutError, match="moved no word for 3 s"):
        link.receive(1)


def test_nothing_is_done_twice_however_often_it_is_asked():
    port = Loopback()
    device = FramedDevice(port)
    first = Frame(LinkOpcode.OPEN, sequence=5, session=0x101)
    write = Frame(LinkOpcode.WRITE, sequence=6, session=0x101, payload=bytes(8))
    for frame in (first, first, write, write, write):
        device.feed(encode_frame(frame))
    assert port.put_words == 1
    for stale in (first, replace(write, sequence=4), replace(write, session=0x201)):
        device.feed(encode_frame(stale))
    assert port.put_words == 1
    assert device.counts["repeated"] == 3 and device.counts["refused"] == 3


def test_frames_shrink_on_a_bad_line_and_grow_again():
    window = FrameWindow(256)
    for _ in range(10):
        window.note(damaged=True)
    assert window.words == 8
    for _ in range(40):
        window.note(damaged=False)
    assert window.words == 256
    assert FrameWindow(4).words == 4
