"""Plays words into a netlist on Icarus Verilog, which knows unknown bits, and records a wave.

The second opinion on `sim.netlist.gates`; three cycles a second on a whole core.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hw.arch.config import LINK_WORD_BITS
from hw.arch.errors import RowforgeError
from hw.arch.program import Words
from hw.asic.netlist.netlist import Netlist

WAVE = "wave.vcd"
SCOPES = 2
"""Scopes of the wave around the netlist's parts: the bench and the netlist."""

_PATIENCE = 100_000  # cycles without a result
_RESET_CYCLES = 4


def play(
    folder: Path,
    netlist: Netlist,
    models: Sequence[str],
    words: Sequence[int],
    expect: int,
    *,
    link_width: int = LINK_WORD_BITS,
    wave: bool = False,
) -> tuple[Words, int]:
    """Play the words of a command stream, each as soon as it is taken.

    Parameters
    ----------
    folder : Path
        Gets the bench, and with `wave` the file `WAVE` of all nets between cells, whose clock has a
        period of 2.
    netlist : Netlist
        Of an accelerator core.
    models : sequence of str
        Verilog of its cells and macros.
    words : sequence of int
        To be sent.
    expect : int
        Words of results, after which the run ends.
    link_width : int
        Bits of a beat.
    wave : bool
        Whether waves are recorded.

    Returns the results, unknown bits as zeros, and the cycles of the whole run with its reset.
    Raises `RowforgeError` if Icarus is absent or refuses the Verilog, or results do not come.
    """
    for tool in ("iverilog", "vvp"):
        if shutil.which(tool) is None:
            raise RowforgeError(f"the replay of a netlist needs {tool}, which is not on the PATH")
    parts = LINK_WORD_BITS // link_width
    mask = (1 << link_width) - 1
    beats = [word >> link_width * part & mask for word in words for part in range(parts)]
    (folder / "words.hex").write_text("\n".join(f"{beat:x}" for beat in beats) + "\n")
    scopes = [f"dut.{path}" if path else "dut" for path, _ in netlist.instances()]
    bench = _bench(netlist.top, len(beats), expect * parts, link_width, scopes if wave else [])
    (folder / "bench.v").write_text("\n".join([bench, netlist.verilog, *models]))
    build = ["iverilog", "-g2005", "-s", "bench", "-o", "bench.vvp", "bench.v"]
    said = ""
    for command in (build, ["vvp", "-n", "bench.vvp"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RowforgeError(f"{command[0]} failed: {(done.stderr or done.stdout)[:400]}")
        said = done.stdout
    return _results(said, parts, link_width, expect)


def _results(said: str, parts: int, link_width: int, expect: int) -> tuple[Words, int]:
    """The words and the number of cycles that a bench has printed."""
    lines = [line.split() for line in said.splitlines()]
    beats = [line[1].replace("x", "0").replace("X", "0") for line in lines if line[:1] == ["beat"]]
    cycles = [int(line[1]) for line in lines if line[:1] == ["cycles"]]
    if len(beats) != expect * parts or not cycles:
        raise RowforgeError(
            f"netlist gave {len(beats) // parts} of {expect} words of results, then nothing more"
        )
    values = [int(beat, 16) for beat in beats]
    words = [
        sum(values[index + part] << link_width * part for part in range(parts))
        for index in range(0, len(values), parts)
    ]
    return np.array(words, dtype=np.uint64), cycles[0]


def _bench(top: str, beats: int, expect: int, width: int, scopes: Sequence[str]) -> str:
    dump = [f'    $dumpfile("{WAVE}");', *(f"    $dumpvars(1, {scope});" for scope in scopes)]
    return "\n".join(
        [
            "module bench;",
            f"  reg [{width - 1}:0] words [0:{beats - 1}];",
            "  reg clk = 0, rst = 1, valid = 0;",
            f"  reg [{width - 1}:0] payload = 0;",
            "  wire ready, given;",
            f"  wire [{width - 1}:0] result;",
            "  integer sent = 0, got = 0, cycles = 0, idle = 0;",
            f"  {top} dut (.clk(clk), .rst(rst), .cmd__payload(payload), .cmd__valid(valid),",
            "    .cmd__ready(ready), .result__payload(result), .result__valid(given),",
            "    .result__ready(1'b1));",
            "  initial begin",
            '    $readmemh("words.hex", words);',
            *(dump if scopes else []),
            "    forever begin",
            "      #1 clk = 1;",
            "      #1 clk = 0;",
            "    end",
            "  end",
            "  always @(posedge clk) begin",
            "    cycles = cycles + 1;",
            "    idle = idle + 1;",
            "    if (!rst && valid && ready === 1'b1) sent = sent + 1;",
            "    if (!rst && given === 1'b1) begin",
            '      $display("beat %h", result);',
            "      got = got + 1;",
            "      idle = 0;",
            "    end",
            f"    if (got == {expect} || idle > {_PATIENCE}) begin",
            '      $display("cycles %0d", cycles);',
            "      $finish;",
            "    end",
            "  end",
            "  always @(negedge clk) begin",
            f"    rst <= cycles < {_RESET_CYCLES};",
            f"    valid <= cycles > {_RESET_CYCLES} && sent < {beats};",
            f"    payload <= sent < {beats} ? words[sent] : {width}'d0;",
            "  end",
            "endmodule",
            "",
        ]
    )
