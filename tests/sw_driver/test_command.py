"""`python -m sw_driver`: the driver alone, and what its command refuses."""

import importlib
import pkgutil

import numpy as np
import pytest

import compiler
import rowforge
from hw.arch.config.file import parse_toml
from hw.arch.program.file import save_program
from numerics.registry import STEPS
from rowforge.configs import preset
from rowforge.running.compilation import compile_model, digits_model
from sw_driver.command import main
from tests.campaigns.models.driver import EXECUTOR, RTL, differences, digits, run_model
from tests.rowforge.commands.test_serve import CONFIG
from tests.support.driver_alone import DriverAlone
from tests.support.functional_board import functional_board


def test_digits_by_the_driver_alone(tmp_path):
    finding = run_model(digits(), EXECUTOR, preset("tiny"), tmp_path)
    assert finding.wrong == ""
    assert finding.host_steps > 0


@pytest.mark.slow
def test_digits_by_the_driver_alone_on_the_rtl(tmp_path):
    """On a simulator that tests of the command `serve` use too."""
    config = parse_toml(CONFIG)
    assert run_model(digits(), RTL, config, tmp_path, brief=True).wrong == ""


def test_the_driver_is_really_alone(tmp_path):
    done = DriverAlone(tmp_path).run("--version", absent=("compiler", "numerics"))
    assert (done.status, done.said) == (1, "not alone: ['numerics']")
    assert DriverAlone(tmp_path / "again").run("--version").status == 0


def test_every_host_step_is_registered_without_compiler_and_command(tmp_path):
    """Whatever compiler and command import, no step comes from them."""
    for package in (compiler, rowforge):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    assert len(STEPS) > 20
    assert {function.__module__.partition(".")[0] for function in STEPS.values()} == {"numerics"}
    names = DriverAlone(tmp_path).evaluate("sorted(sys.modules['numerics.registry'].STEPS)")
    assert names == repr(sorted(STEPS))


def test_a_wrong_output_is_noticed():
    a = np.arange(6, dtype=np.int8)
    assert differences({"y": a}, {"y": a.copy()}) == ""
    assert differences({"y": a}, {"z": a}) == "DIFFERS: outputs y in place of z"
    assert differences({"y": a}, {"y": a + np.int8(1)}) == "DIFFERS: 6 of 6 values of y"
    assert "y is int8 (6,), not int16 (6,)" in differences({"y": a}, {"y": a.astype(np.int16)})


# ---- refusals -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    save_program(compile_model(digits_model(), preset("tiny")).program, folder / "p.rfp")
    np.save(folder / "x.npy", digits().inputs[:1])
    np.save(folder / "f.npy", digits().inputs[:1].astype(np.float32))
    (folder / "broken.rfp").write_bytes((folder / "p.rfp").read_bytes()[:-40])
    return folder


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (["required", "--url"], {"--url": None}),
        (["target must be one of", "usb:1"], {"--url": "usb:1"}),
        (["tcp://host:port"], {"--url": "tcp://x"}),
        (["model.tflite", ".rfp"], {"": "model.tflite"}),
        (["none.rfp"], {"": "none.rfp"}),
        (["broken.rfp"], {"": "broken.rfp"}),
        (["none.npy"], {"--input": "none.npy"}),
        (["int8", "float32"], {"--input": "f.npy"}),
        (["y.txt", ".npy or .npz"], {"--output": "y.txt"}),
    ],
)
def test_bad_use_is_one_sentence(capsys, files, monkeypatch, words, changes):
    monkeypatch.chdir(files)
    options = {"": "p.rfp", "--url": "tcp://127.0.0.1:1", "--input": "x.npy", "--output": "y.npy"}
    given = {name: value for name, value in (options | changes).items() if value is not None}
    assert main([word for pair in given.items() for word in pair if word]) == 2
    said = capsys.readouterr().err
    assert said.startswith("sw_driver: ")
    assert said.count("\n") == 1
    assert all(word in said for word in words), said


def test_another_configuration_is_refused_and_no_board_is_a_failure(capsys, files, tmp_path):
    arguments = [str(files / "p.rfp"), "--input", str(files / "x.npy")]
    arguments += ["--output", str(tmp_path / "y.npy"), "--url"]
    with functional_board(preset("eyeriss_v1_int8"), tmp_path) as url:
        assert main([*arguments, url]) == 2
    said = capsys.readouterr().err
    assert "another configuration" in said
    assert "rows: 12 here, 4 there" in said
    assert main([*arguments, url]) == 1
    assert "cannot connect" in capsys.readouterr().err
