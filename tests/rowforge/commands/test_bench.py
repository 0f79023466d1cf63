"""`rowforge bench`: cases for any configuration, results, waves, refusals."""

import re
from xml.etree import ElementTree

import pytest

import tb.runners
from rowforge import benching
from rowforge.configs import parse_toml
from sim import verilator
from tb.cases import accelerator, blocks
from tb.cases.case import Demand
from tests.rowforge.support import rowforge

SMALL = """
[array]
rows = 2
cols = 3
psum_width = 24
[buffer]
banks = 6
depth = 64
[post]
channels = 32
[link]
width = 32
[control]
row_patterns = 5
"""


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(SMALL)
    return path


def bench(capsys, config_file, *arguments):
    folder = config_file.parent / "out"
    return rowforge(capsys, "bench", "--config", config_file, "-o", folder, *arguments)


@pytest.mark.slow
def test_a_block_with_waves(capsys, config_file):
    """Two runs, each a row; JUnit XML; every signal of the layout is in the waves."""
    outcome = bench(
        capsys, config_file, *("--block", "glb", "--waves", "--runs", "2", "--stalls", "0.2")
    )
    assert outcome.status == 0, outcome.out + outcome.err
    rows = [line.split() for line in outcome.out.splitlines() if line.startswith("glb")]
    assert [(row[1], row[2], row[-1]) for row in rows] == [
        ("traffic", "1", "ok"),
        ("traffic", "2", "ok"),
    ]
    assert all(int(row[4].replace(",", "")) > 300 for row in rows), "cycles"
    out = config_file.parent / "out"
    suites = ElementTree.parse(out / "results.xml").getroot()
    assert suites.get("failures") == suites.get("errors") == "0"
    names = {case.get("name") for case in suites.iter("testcase")}
    assert names == {"traffic/stall=0.0", "traffic/stall=0.2"}
    header = (out / "glb-traffic-1.vcd").read_text().partition("$enddefinitions")[0]
    declared = set(re.findall(r"\$var \w+ \d+ \S+ (\w+)", header))
    shown = re.findall(r"^dut\.(\w+)", (out / "glb-traffic-1.gtkw").read_text(), re.M)
    assert len(shown) > 10 and set(shown) <= declared
    assert re.search(r"\$scope module dut \$end", header)


@pytest.mark.slow
def test_layers_of_the_accelerator(capsys, config_file):
    outcome = bench(capsys, config_file, "--block", "accelerator", "--seed", "5")
    assert outcome.status == 0, outcome.out + outcome.err
    assert "layers_stalled" in outcome.out


@pytest.mark.slow
def test_a_failure_is_told(capsys, config_file, monkeypatch):
    """A bench that is told the wrong configuration fails: status 1, the row and the results."""
    right = blocks.glb

    def wrong(config, demand):
        (case,) = right(config, demand)
        case.values["config"]["buffer"]["depth"] = 32
        return [case]

    monkeypatch.setattr(blocks, "glb", wrong)
    outcome = bench(capsys, config_file, "--block", "glb")
    assert outcome.status == 1
    assert "WRONG" in outcome.out and "glb traffic, seed 1: traffic/stall=0.0" in outcome.out
    suites = ElementTree.parse(config_file.parent / "out" / "results.xml").getroot()
    assert int(suites.get("failures")) == 2


def test_layers_are_compared_with_numpy(monkeypatch):
    """An executor that computes something else than NumPy makes no cases."""
    from tb.models.mapping import MappedConvolution

    right = MappedConvolution.expected
    monkeypatch.setattr(MappedConvolution, "expected", lambda self: right(self) + 1)
    with pytest.raises(AssertionError):
        accelerator.accelerator(parse_toml(SMALL), Demand())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--coverage", "--sim", "icarus"), "--coverage needs --sim verilator, not icarus"),
        (("--stalls", "1.5"), "--stalls must be 0 to 0.9, not 1.5"),
        (("--runs", "0"), "--runs must be at least 1"),
        (("--block", "nothing"), "invalid choice"),
        (("--sim", "other"), "invalid choice"),
    ],
)
def test_refusals(capsys, config_file, arguments, said):
    outcome = bench(capsys, config_file, *arguments)
    assert outcome.status == 2
    assert said in outcome.err and outcome.err.count("\n") == 1


def test_a_processor_has_no_engines(capsys, tmp_path):
    outcome = rowforge(capsys, "bench", "--preset", "icebreaker", "--block", "glb", "-o", tmp_path)
    assert outcome.status == 2
    assert "its blocks are pe, noc, accelerator, link" in outcome.err


def test_a_missing_simulator_names_the_package(capsys, config_file, monkeypatch):
    monkeypatch.setattr(tb.runners.shutil, "which", lambda name: None)
    outcome = bench(capsys, config_file)
    assert outcome.status == 2
    assert "apt-get install iverilog" in outcome.err


def test_missing_packages_name_the_extra(capsys, config_file, monkeypatch):
    monkeypatch.setattr(benching, "_importable", lambda name: name != "cocotbext.axi")
    outcome = bench(capsys, config_file)
    assert outcome.status == 2
    assert "cocotbext-axi: pip install 'rowforge[bench]'" in outcome.err


def test_missing_packages_of_the_processor_are_named_before_anything_runs(
    capsys, monkeypatch, tmp_path
):
    right = benching._importable
    monkeypatch.setattr(benching, "_importable", lambda name: name != "ziglang" and right(name))
    arguments = ("bench", "--preset", "icebreaker", "-o", tmp_path / "out")
    outcome = rowforge(capsys, *arguments)
    assert outcome.status == 2
    assert "Python package ziglang: pip install 'rowforge[bench]'" in outcome.err
    assert not (tmp_path / "out").exists()


def test_fst_needs_headers(capsys, config_file, monkeypatch):
    monkeypatch.setattr(verilator, "fst_headers", lambda: False)
    outcome = bench(capsys, config_file, "--sim", "verilator", "--waves", "fst")
    assert outcome.status == 2
    assert "liblz4-dev zlib1g-dev" in outcome.err
