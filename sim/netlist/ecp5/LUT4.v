// LUT4 of the ECP5 as a table, for a simulator of two states: it turns yosys' own model, a chain of
// choices, into several times as much code. A test proves the two equal for every INIT.
module LUT4(input A, B, C, D, output Z);
  parameter [15:0] INIT = 16'h0000;
  assign Z = INIT[{D, C, B, A}];
endmodule
