// LUT4 of the ECP5 as a table. yosys' own model is a chain of choices, which the RTL simulator turns
// into several times as much code; a test proves the two equal for every INIT.
module LUT4(input A, B, C, D, output Z);
  parameter [15:0] INIT = 16'h0000;
  assign Z = INIT[{D, C, B, A}];
endmodule
