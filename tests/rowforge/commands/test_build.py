"""`rowforge build`: what it refuses, and what it makes of a flow's outcome.

Synthesis, place and route are played by a program that leaves what nextpnr would have left.
"""

import json
import stat
import sys
import textwrap

import pytest

from boards.common.report import begin
from rowforge.commands.board import build as command
from tests.rowforge.support import rowforge

# Leaves a report at the place that `--report` names; `stat -json` and bitstreams by their names.
PROGRAM = """\
#!{python}
import json, re, sys
name, words = {name!r}, sys.argv[1:]
if words == ["--version"]:
    print(name + " 9.9")
elif name == "yosys":
    file = re.search(r"tee -q -o (\\S+)", words[-1])[1]
    json.dump({{"design": {{"num_cells_by_type": {{"TRELLIS_FF": 5}}}}}}, open(file, "w"))
    file = re.search(r"write_json (\\S+?);", words[-1])[1]
    json.dump({{"modules": {{}}}}, open(file, "w"))
elif name == "nextpnr-ecp5":
    clock = {{"achieved": {fmax}, "constraint": 50.0}}
    cells = {{"TRELLIS_COMB": 900, "TRELLIS_FF": 500, "MULT18X18D": 8, "DP16KD": 9}}
    used = {{cell: {{"used": n, "available": 2 * n}} for cell, n in cells.items()}}
    slow = "design.device.accelerator.core.engine.array.pe_1_0.walk.tap_LUT4_Z"
    end = {{"cell": slow, "loc": [0, 0], "port": "Z"}}
    hop = {{"type": "setup", "delay": 21.5, "from": end, "to": end}}
    path = {{"from": "posedge clk", "to": "posedge clk", "path": [hop]}}
    file = words[words.index("--report") + 1]
    report = {{"fmax": {{"clk": clock}}, "utilization": used, "critical_paths": [path]}}
    json.dump(report, open(file, "w"))
else:
    open(words[-1], "w").write("bits")
"""


@pytest.fixture
def flow(tmp_path, monkeypatch):
    """Put the programs of the ECP5 flow on the PATH; returns a function of their fmax in MHz."""
    pytest.importorskip("amaranth_boards")
    folder = tmp_path / "bin"
    folder.mkdir()

    def install(fmax):
        for name in ("yosys", "nextpnr-ecp5", "ecppack"):
            file = folder / name
            text = textwrap.dedent(PROGRAM).format(python=sys.executable, name=name, fmax=fmax)
            file.write_text(text)
            file.chmod(file.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        # The design itself is not what is tried here.
        monkeypatch.setattr("boards.common.design._verilog", lambda *given: "module x; endmodule\n")

    return install


def build(capsys, tmp_path, *words):
    return rowforge(capsys, "build", "--board", "ulx3s-85f", "-o", tmp_path / "out", *words)


def test_a_report_holds_the_figures(capsys, tmp_path, flow):
    flow(61.5)
    outcome = build(capsys, tmp_path, "--seed", "7", "--json")
    assert outcome.status == 0, outcome
    document = outcome.document
    assert document == json.loads((tmp_path / "out" / "report.json").read_text())
    assert (document["lut"], document["ff"], document["dsp"], document["block_ram"]) == (
        900,
        500,
        8,
        9,
    )
    assert (document["fmax_mhz"], document["target_mhz"], document["met"]) == (61.5, 50.0, True)
    assert (document["pes"], document["multipliers"], document["gmac_per_s"]) == (64, 64, 3.2)
    assert (document["seed"], document["preset"]) == (7, "ulx3s_85f")
    assert document["command"] == "rowforge build --board ulx3s-85f -o out --seed 7"
    assert document["tools"]["yosys"] == "yosys 9.9 (native)"
    assert document["files"] == {"top.bit": 4}
    assert len(document["configuration_hash"]) == 16


def test_timing_that_is_not_met_is_a_failure(capsys, tmp_path, flow):
    flow(46.5)
    outcome = build(capsys, tmp_path)
    assert outcome.status == 1
    assert outcome.err.count("\n") == 1
    assert "reaches 46.5 MHz, not the 50 MHz" in outcome.err
    assert "array.pe_1_0.walk.tap" in outcome.err
    assert not (tmp_path / "out" / "top.bit").exists()
    assert json.loads((tmp_path / "out" / "report.json").read_text())["met"] is False


def test_flash_without_a_flasher_says_what_to_type(capsys, tmp_path, flow):
    flow(61.5)
    outcome = build(capsys, tmp_path, "--flash")
    assert outcome.status == 0
    assert f"type: openFPGALoader -b ulx3s {tmp_path / 'out' / 'top.bit'}" in outcome.out


def test_a_program_that_fails_is_named(capsys, tmp_path, flow):
    flow(61.5)
    broken = tmp_path / "bin" / "nextpnr-ecp5"
    text = broken.read_text()
    begin_of_code = text.index("import json")
    broken.write_text(
        text[:begin_of_code]
        + 'import sys\nprint("ERROR: no room")\nsys.exit("--version" not in sys.argv)\n'
    )
    outcome = build(capsys, tmp_path)
    outcome.assert_refused("nextpnr-ecp5 failed", "no room", "nextpnr.log")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--board", "ulx4s"), "--board must be one of"),
        (("--board", "ulx3s-85f", "--seed", "-1"), "--seed must be 0 to"),
        (("--board", "ulx3s-85f", "--seed", "x"), "--seed"),
        (("--board", "ulx3s-85f", "--prefix", "mine"), "prefix must be left out for board ulx3s"),
        (("--board", "pynq-z2", "--prefix", "wire"), "prefix must not be a word that Verilog"),
        (("--board", "ulx3s-85f", "--preset", "none"), "preset must be one of"),
        (("--board", "ulx3s-85f", "--config", "none.toml"), "none.toml"),
        (("--board", "ulx3s-85f", "--preset", "tiny", "--config", "x.toml"), "not allowed with"),
        ((), "--board"),
    ],
)
def test_bad_use_is_refused_and_leaves_nothing(capsys, tmp_path, words, expected):
    outcome = rowforge(capsys, "build", *words, "-o", tmp_path / "out")
    outcome.assert_refused(expected)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file_is_refused(capsys, tmp_path):
    (tmp_path / "out").write_text("")
    build(capsys, tmp_path).assert_refused("is not a folder")


def test_a_flasher_is_told_the_bitstream(tmp_path, monkeypatch, capsys):
    from boards.catalogue import BOARDS
    from rowforge.configs import preset

    board = BOARDS["tang-nano-20k"]
    assert begin(board, preset(board.preset), 1).met is None
    calls = []
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")

    class Done:
        returncode = 0

    monkeypatch.setattr("subprocess.run", lambda words: calls.append(words) or Done())
    assert command._flash(board, tmp_path, ["top.fs"]) == 0
    assert calls == [["openFPGALoader", "-b", "tangnano20k", str(tmp_path / "top.fs")]]
