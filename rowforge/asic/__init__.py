"""A design on an ASIC process: netlist, area, timing, leakage."""
