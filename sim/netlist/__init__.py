"""Netlists in place of the emitted Verilog: what an FPGA flow's synthesis made, simulated."""
