"""Where yosys and nextpnr take more cells of an ECP5 than the design needs."""

import json
from pathlib import Path

from hw.arch.config import Config
from hw.arch.errors import RowforgeError

# A carry cell's bit is LUT4(A, B, C, D) ^ carry, and the carry goes on where the LUT gives 1; else
# it is what the LUT gives for C = D = 0, by A and B. With D = 1: A & ~C ^ B, and B where that is 0.
_GATED_BIT = "16'hC6AC"


def gated_adder(config: Config, prefix: str) -> str:
    """`hw.pe.adder.GatedAdder` in carry cells that hold the gate too: a LUT less for every bit.

    `prefix` is that of the design whose module it replaces.
    """
    width = config.array.psum_width
    cells = -(-width // 2)
    return f"""\
module {prefix}_gated_adder(clk, rst, held, term, clear, total);
  input clk, rst;
  input [{width - 1}:0] held, term;
  input clear;
  output [{width - 1}:0] total;
  wire [{2 * cells - 1}:0] a = held, b = term, s;
  wire [{cells}:0] carry;
  assign carry[0] = 1'b0;
  assign total = s[{width - 1}:0];
  genvar i;
  generate for (i = 0; i < {cells}; i = i + 1) begin
    CCU2C #(
      .INIT0({_GATED_BIT}), .INIT1({_GATED_BIT}), .INJECT1_0("NO"), .INJECT1_1("NO")
    ) pair (
      .CIN(carry[i]), .COUT(carry[i + 1]),
      .A0(a[2 * i]), .B0(b[2 * i]), .C0(clear), .D0(1'b1), .S0(s[2 * i]),
      .A1(a[2 * i + 1]), .B1(b[2 * i + 1]), .C1(clear), .D1(1'b1), .S1(s[2 * i + 1])
    );
  end endgenerate
endmodule
"""


def without_loose_carries(netlist: Path) -> None:
    """Leave the carry output open where nothing takes it; nextpnr would lead it out by two LUTs.

    Raises `RowforgeError` for a file that holds no netlist.
    """
    try:
        document = json.loads(netlist.read_text("utf-8"))
        modules = document["modules"].values()
    except (OSError, ValueError, KeyError) as error:
        raise RowforgeError(f"yosys has left no netlist: {error}") from None
    for module in modules:
        cells = module["cells"].values()
        taken = {
            bit
            for cell in cells
            for port, bits in cell["connections"].items()
            if cell.get("port_directions", {}).get(port) != "output"
            for bit in bits
        }
        for cell in cells:
            if cell["type"] == "CCU2C" and not taken & set(cell["connections"].get("COUT", ())):
                cell["connections"]["COUT"] = ["x"]
    netlist.write_text(json.dumps(document), encoding="utf-8")
