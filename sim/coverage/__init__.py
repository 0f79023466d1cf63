"""Coverage of emitted Verilog as Verilator counts it: line, branch and toggle, module by module."""
