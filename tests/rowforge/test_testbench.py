"""The testbench that `generate` writes: passes by `make`, fails where the Verilog is wrong."""

import json
import os
import re
import subprocess
import sys

import pytest

from hw.arch.config import Config
from rowforge.generation import generate
from rowforge.testbench import network
from rowforge.testbench.network import small_network
from tests.campaigns.fuzz.configs import configuration

CONFIG = Config.of(
    {
        "array.rows": 2,
        "array.cols": 2,
        "buffer.banks": 4,
        "buffer.depth": 128,
        "array.psum_width": 24,
        "post.channels": 16,
        "link.width": 32,
    }
)


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    folder = tmp_path_factory.mktemp("design")
    generate(CONFIG, folder)
    return folder


def make(design, *arguments):
    """`make` as a user types it, without our packages on the path."""
    left_out = ("PYTHON", "COCOTB", "MAKE", "PYTEST", "WAVES", "SIM")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    command = ["make", f"PYTHON={sys.executable}", *arguments]
    return subprocess.run(
        command, cwd=design / "tb", env=environment, capture_output=True, text=True
    )


def test_it_imports_nothing_of_ours(design):
    ours = ("numerics", "hw", "compiler", "sim", "boards", "sw_driver", "rowforge", "tb")
    for path in (design / "tb").glob("*.py"):
        assert not re.search(rf"^\s*(import|from) ({'|'.join(ours)})\b", path.read_text(), re.M)


def test_it_passes(design):
    done = make(design, "WAVES=1", "COCOTB_RANDOM_SEED=3")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "TESTS=2 PASS=2" in done.stdout
    assert (design / "tb" / "rowforge.vcd").stat().st_size > 10_000
    assert (design / "tb" / "results.xml").is_file()


@pytest.mark.slow
def test_it_passes_on_verilator(design):
    done = make(design, "SIM=verilator", "WAVES=1", "COCOTB_TEST_FILTER=stall=0.0")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "TESTS=1 PASS=1" in done.stdout
    assert (design / "tb" / "rowforge.vcd").stat().st_size > 10_000


def changed(verilog, module, pattern, replacement):
    """The Verilog with one change in one module whose name ends so."""
    start = re.search(rf"^module \w*{module}\(", verilog, re.M).start()
    end = verilog.index("endmodule", start)
    body, count = re.subn(pattern, replacement, verilog[start:end], count=1)
    assert count == 1
    return verilog[:start] + body + verilog[end:]


@pytest.mark.parametrize(
    ("module", "pattern", "replacement", "layer"),
    [
        ("gated_adder", r" \+ ", " - ", "layer conv"),
        ("lane_reducer", r" > ", " < ", "layer pool"),
        ("word_splitter", r"(words__payload >> )(\w+);", r"\1(\2 >> 1);", "layer conv"),
    ],
)
def test_a_bug_is_named_by_layer_and_coordinate(
    design, tmp_path, module, pattern, replacement, layer
):
    files = (path for path in design.rglob("*") if path.is_file() and "sim_build" not in str(path))
    for path in files:
        copy = tmp_path / path.relative_to(design)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    verilog = tmp_path / "rowforge.v"
    verilog.write_text(changed(verilog.read_text(), module, pattern, replacement))
    done = make(tmp_path)
    assert done.returncode != 0
    said = (
        r"WrongLayerError: %s \(\w+\), item 0, row \d+, column \d+, channel \d+: "
        r"(the header is )?-?\d+, not -?\d+"
    )
    assert re.search(said % layer, done.stdout), done.stdout[-3000:]


def test_every_layer_is_checked(design):
    program = json.loads((design / "tb" / "program.json").read_text())
    names = [block["name"].split()[1] for block in program["results"] if "values" in block]
    assert names == ["conv", "depthwise", "pool", "pointwise"]


@pytest.mark.slow
def test_a_configuration_without_a_network_gets_its_verilog(tmp_path, monkeypatch):
    monkeypatch.setattr(network, "_SIZES", ((64, 4, 8, 3),))
    with pytest.warns(UserWarning, match="no testbench was written: no small network fits"):
        files = generate(
            Config.of(
                {
                    "array.rows": 1,
                    "array.cols": 1,
                    "buffer.banks": 2,
                    "buffer.depth": 32,
                    "array.psum_width": 16,
                }
            ),
            tmp_path,
        )
    assert (tmp_path / "rowforge.v") in files and not (tmp_path / "tb").exists()


@pytest.mark.parametrize("number", range(8))
def test_random_configurations_take_a_network(number):
    graph, _ = small_network(configuration(13, number))
    assert graph.nodes
