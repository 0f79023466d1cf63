"""The accelerator object: transports, loading, running, closing."""

from dataclasses import replace

import numpy as np
import pytest

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program.file import save_program
from sim.functional import FunctionalAccelerator
from sw_driver import accelerator
from sw_driver.accelerator import Accelerator, Connection, register_transport
from sw_driver.protocol.errors import LinkError
from tests.sw_driver.scripted import CONFIG, SHAPE, ScriptedLink, make_program


@pytest.fixture(autouse=True)
def transports(monkeypatch):
    monkeypatch.setattr(accelerator, "_TRANSPORTS", {})


def image():
    return np.random.default_rng(1).integers(-128, 128, SHAPE).astype(np.int8)


def test_a_board_knows_its_configuration(tmp_path):
    seen = []

    def connect(parts):
        seen.append((parts.scheme, parts.hostname, parts.port))
        return Connection(FunctionalAccelerator(CONFIG), CONFIG)

    register_transport("test", connect)
    path = tmp_path / "relu.rfp"
    save_program(make_program(), path)
    with Accelerator.open("test://host:99") as device:
        assert device.config == CONFIG
        assert device.counters() == {}
        with pytest.raises(RowforgeError, match="must be loaded before"):
            device.run(image())
        assert device.load(path).name == "relu"
        x = image()
        assert (device.run(x) == np.maximum(x, 0)[:, ::-1]).all()
        assert sorted(device.counters()) == [0, 2]
        save_program(replace(make_program(), config=Config.of({"array.rows": 3})), path)
        with pytest.raises(RowforgeError, match="rows: 4 here, 3 there"):
            device.load(path)
    assert seen == [("test", "host", 99)]
    with pytest.raises(LinkError, match="is closed"):
        device.run(image())


def test_a_simulator_is_made_for_the_program():
    made = []

    def make(config):
        made.append(config)
        return FunctionalAccelerator(config)

    register_transport("sim", lambda parts: Connection(for_config=make))
    with Accelerator.open("sim:") as device:
        assert device.config is None
        program = make_program()
        device.load(program)
        device.load(program)
        assert device.run_in_full(image()).outputs["out"].shape == SHAPE
        device.load(replace(program, config=Config.of({"array.rows": 3})))
        assert device.config == Config.of({"array.rows": 3})
    assert made == [CONFIG, Config.of({"array.rows": 3})]


def test_several_outputs_come_by_name():
    register_transport("test", lambda parts: Connection(FunctionalAccelerator(CONFIG), CONFIG))
    with Accelerator.open("test:") as device:
        device.load(replace(make_program(), outputs=(1, 3)))
        assert sorted(device.run(image())) == ["mid", "out"]


def test_closing_reaches_the_link_once():
    link = ScriptedLink()
    register_transport("test", lambda parts: Connection(link, CONFIG))
    device = Accelerator.open("test:")
    device.close()
    assert link.closed
    link.closed = False
    device.close()
    assert not link.closed


def test_unknown_targets_are_refused():
    with pytest.raises(RowforgeError, match="target must be one of none, not 'usb:'"):
        Accelerator.open("usb:")
    register_transport("rtl", lambda parts: Connection())
    with pytest.raises(RowforgeError, match="target must be one of rtl:, not 'no scheme'"):
        Accelerator.open("no scheme")
    with pytest.raises(LinkError, match="gave no link"):
        Accelerator.open("rtl:").load(make_program())
