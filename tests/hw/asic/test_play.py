"""Words played into a netlist on Icarus Verilog."""

import shutil

import pytest

from hw.arch.errors import RowforgeError
from hw.asic.netlist.netlist import Netlist
from hw.asic.netlist.toggles import read_vcd
from tests.support.netlist.icarus import SCOPES, WAVE, play

ECHO = """
module echo(clk, rst, cmd__payload, cmd__valid, cmd__ready, result__payload, result__valid,
  result__ready);
  input clk, rst, cmd__valid, result__ready;
  input [31:0] cmd__payload;
  output cmd__ready, result__valid;
  output [31:0] result__payload;
  stage held (
    .clk(clk),
    .rst(rst),
    .d(cmd__payload),
    .v(cmd__valid),
    .q(result__payload),
    .qv(result__valid),
    .r(cmd__ready)
  );
endmodule
"""
STAGE = """
module stage(input clk, input rst, input [31:0] d, input v, output reg [31:0] q, output reg qv,
  output r);
  reg turn;
  assign r = turn;
  always @(posedge clk) begin
    turn <= rst ? 1'b0 : ~turn;
    qv <= !rst && v && r;
    if (v && r) q <= d + 1;
  end
endmodule
"""
WORDS = [0x100000005, 0xFFFF, 0xABCDEF0123456789]


@pytest.fixture(autouse=True)
def _icarus():
    if shutil.which("iverilog") is None:
        pytest.skip("no iverilog")


def test_every_beat_is_sent_once(tmp_path):
    words, cycles = play(
        tmp_path, Netlist(ECHO, "echo"), [STAGE], WORDS, 3, link_width=32, wave=True
    )
    assert words.tolist() == [0x200000006, 0x100010000, 0xABCDEF022345678A]
    toggles = read_vcd(tmp_path / WAVE, levels=SCOPES)
    assert toggles.counts[toggles.bits["", "clk"]] == pytest.approx(2 * cycles, abs=2)
    assert ("", "result__payload[31]") in toggles.bits
    assert not any(path for path, _ in toggles.bits), "nothing inside cells is recorded"


def test_results_that_do_not_come_are_missed(tmp_path):
    with pytest.raises(RowforgeError, match="netlist gave 2 of 3 words of results"):
        play(
            tmp_path,
            Netlist(ECHO, "echo"),
            [STAGE.replace("!rst && v && r;", "!rst && v && r && d != 32'h00010000;")],
            [WORDS[0], 0x10000, WORDS[2]],
            3,
            link_width=32,
        )


def test_verilog_that_is_wrong_is_refused(tmp_path):
    with pytest.raises(RowforgeError, match="iverilog failed"):
        play(tmp_path, Netlist(ECHO, "echo"), [], WORDS, 3, link_width=32)
