"""The files beside the Verilog: file list, FuseSoC core, timing, lint waivers, memory models."""

from collections.abc import Sequence

from hw.arch.errors import RowforgeError

WAIVED_WARNINGS = (
    "DECLFILENAME",
    "PROCASSINIT",
    "CASEINCOMPLETE",
    "WIDTHEXPAND",
    "UNUSEDSIGNAL",
    "TIMESCALEMOD",
)
"""Warnings of Verilator that the emitter itself causes; see `hw.emit.verilog`."""

_EMPTY_MODULES = ("DECLFILENAME", "TIMESCALEMOD", "UNDRIVEN", "UNUSEDSIGNAL")

_RAM_MODELS = """\
// Models of the memory macros of black-box Verilog, for simulation and lint.
// For a chip, replace each by a module of the same name and ports around the macro of the process.
// Contents are undefined until written; reading a word in the cycle that writes it is undefined.

// One write port and one read port; rd_data follows rd_en by one cycle and is held without it.
module PREFIX_ram_1r1w #(
  parameter WIDTH = 8,
  parameter DEPTH = 2,
  parameter LANE_WIDTH = WIDTH
) (
  input  wire                        clk,
  input  wire [WIDTH/LANE_WIDTH-1:0] wr_en,
  input  wire [$clog2(DEPTH)-1:0]    wr_addr,
  input  wire [WIDTH-1:0]            wr_data,
  input  wire                        rd_en,
  input  wire [$clog2(DEPTH)-1:0]    rd_addr,
  output reg  [WIDTH-1:0]            rd_data
);
  reg [WIDTH-1:0] words [0:DEPTH-1];
  genvar lane;
  generate
    for (lane = 0; lane < WIDTH/LANE_WIDTH; lane = lane + 1) begin : g_lane
      always @(posedge clk)
        if (wr_en[lane])
          words[wr_addr][lane*LANE_WIDTH +: LANE_WIDTH] <= wr_data[lane*LANE_WIDTH +: LANE_WIDTH];
    end
  endgenerate
  always @(posedge clk)
    if (rd_en)
      rd_data <= words[rd_addr];
endmodule

// One port: with en, any bit of we writes those lanes, none reads; rdata is held until a read.
module PREFIX_ram_1rw #(
  parameter WIDTH = 8,
  parameter DEPTH = 2,
  parameter LANE_WIDTH = WIDTH
) (
  input  wire                        clk,
  input  wire                        en,
  input  wire [WIDTH/LANE_WIDTH-1:0] we,
  input  wire [$clog2(DEPTH)-1:0]    addr,
  input  wire [WIDTH-1:0]            wdata,
  output reg  [WIDTH-1:0]            rdata
);
  reg [WIDTH-1:0] words [0:DEPTH-1];
  genvar lane;
  generate
    for (lane = 0; lane < WIDTH/LANE_WIDTH; lane = lane + 1) begin : g_lane
      always @(posedge clk)
        if (en && we[lane])
          words[addr][lane*LANE_WIDTH +: LANE_WIDTH] <= wdata[lane*LANE_WIDTH +: LANE_WIDTH];
    end
  endgenerate
  always @(posedge clk)
    if (en && !(|we))
      rdata <= words[addr];
endmodule
"""


def ram_models(prefix: str) -> str:
    """Behavioural Verilog-2005 of the two memory macros of a design."""
    return _RAM_MODELS.replace("PREFIX", prefix)


def lint_waivers(
    own: Sequence[str], foreign: Sequence[str] = (), *, stubs: Sequence[str] = ()
) -> str:
    """Verilator's configuration file: the warnings that the emitter makes by itself, no others.

    It names the design's `own` files, so that lint of the files beside them stays as strict as
    their owner wants it. What is said of `foreign` files is not ours to mend. The empty modules of
    `stubs` drive nothing.
    """
    lines = ["`verilator_config"]
    lines += [f'lint_off -rule {rule} -file "*{name}"' for name in own for rule in WAIVED_WARNINGS]
    for name in stubs:
        lines += [f'lint_off -rule {rule} -file "*{name}"' for rule in _EMPTY_MODULES]
    for name in foreign:  # "all rules" leaves that of time scales on
        lines += [f'lint_off -file "*{name}"', f'lint_off -rule TIMESCALEMOD -file "*{name}"']
    return "\n".join(lines) + "\n"


def file_list(sources: Sequence[str]) -> str:
    """Verilog files in the order of compilation, one a line, relative to the list."""
    return "".join(f"{source}\n" for source in sources)


def fusesoc_core(
    name: str, version: str, designs: Sequence[str], models: Sequence[str] = ()
) -> str:
    """FuseSoC core description (CAPI2), whose targets use edalize's flows.

    Parameters
    ----------
    name, version : str
        Name of the top module and version of the core.
    designs : sequence of str
        The Verilog files.
    models : sequence of str
        Models of memory macros, used by every target but `synth`, which then has no flow: what
        the macros are is the chip's own affair.
    """
    filesets = [("rtl", list(designs), "verilogSource")]
    if models:
        filesets.append(("models", list(models), "verilogSource"))
    filesets.append(("constraints", [f"{name}.sdc"], "SDC"))
    filesets.append(("waivers", [f"{name}.vlt"], "vlt"))
    sources = ["rtl", "models"] if models else ["rtl"]
    lines = [
        "CAPI=2:",
        f"name: rowforge:accelerator:{name}:{version}",
        "description: Eyeriss-style row-stationary DNN accelerator",
        "filesets:",
    ]
    for fileset, files, file_type in filesets:
        lines += [
            f"  {fileset}:",
            f"    files: [{', '.join(files)}]",
            f"    file_type: {file_type}",
        ]
    lines += ["targets:", "  default:", f"    filesets: [waivers, {', '.join(sources)}]"]
    lines += [f"    toplevel: {name}", "  synth:", "    filesets: [rtl, constraints]"]
    lines += [f"    toplevel: {name}"]
    if not models:
        lines += ["    flow: generic", "    flow_options:", "      tool: yosys"]
        lines += ["      arch: xilinx", "      output_format: json"]
    lines += ["  lint:", f"    filesets: [waivers, {', '.join(sources)}]"]
    lines += [f"    toplevel: {name}", "    flow: lint", "    flow_options:"]
    lines += ["      tool: verilator", "      verilator_options: [-Wall]"]
    return "\n".join(lines) + "\n"


def timing_constraints(
    inputs: Sequence[tuple[str, int]],
    outputs: Sequence[tuple[str, int]],
    *,
    period_ns: float,
    io_fraction: float = 0.2,
) -> str:
    """SDC: the clock `clk` and delays of all other ports.

    Parameters
    ----------
    inputs, outputs : sequence of (name, width in bits)
        Ports other than clocks.
    period_ns : float
        Clock period in nanoseconds.
    io_fraction : float
        Part of the period that the world outside takes at each input and output.
    """
    if not 0 < period_ns < 1e6:
        raise RowforgeError(f"clock period must be positive nanoseconds, not {period_ns!r}")
    delay = period_ns * io_fraction

    def collect(ports: Sequence[tuple[str, int]]) -> str:
        return " ".join(name if width == 1 else f"{name}[*]" for name, width in ports)

    return (
        f"create_clock -name clk -period {period_ns:.3f} [get_ports clk]\n"
        f"set_input_delay {delay:.3f} -clock clk [get_ports {{{collect(inputs)}}}]\n"
        f"set_output_delay {delay:.3f} -clock clk [get_ports {{{collect(outputs)}}}]\n"
    )
