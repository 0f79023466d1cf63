"""Memories that a process has in any size: black boxes with the ports of `hw.base.memory`."""

from hw.asic.macros.wrapper import header
from hw.base.geometry import MemoryGeometry


def exact_stub(geometry: MemoryGeometry, module: str) -> str:
    """An empty module, to be replaced by one around a macro of such a size."""
    return f"(* blackbox *)\n{header(geometry, module)}endmodule\n"


def exact_model(geometry: MemoryGeometry, module: str) -> str:
    """A module for simulation."""
    if geometry.ports == "1rw":
        enables, place, data, output = "we", "addr", "wdata", "rdata"
        write, read, source = "en && ", "en && !(|we)", "addr"
    else:
        enables, place, data, output = "wr_en", "wr_addr", "wr_data", "rd_data"
        write, read, source = "", "rd_en", "rd_addr"
    lines = [
        f"  reg [{geometry.width - 1}:0] words [0:{geometry.depth - 1}];",
        f"  reg [{geometry.width - 1}:0] taken;",
        f"  assign {output} = taken;",
        "  always @(posedge clk) begin",
        f"    if ({read})",
        f"      taken <= words[{source}];",
    ]
    for lane in range(geometry.lanes):
        start = lane * geometry.lane_width
        bits = f"[{start + geometry.lane_width - 1}:{start}]"
        enable = enables if geometry.lanes == 1 else f"{enables}[{lane}]"
        lines.append(f"    if ({write}{enable})")
        lines.append(f"      words[{place}]{bits} <= {data}{bits};")
    return header(geometry, module) + "\n".join(lines) + "\n  end\nendmodule\n"
