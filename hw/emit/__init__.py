"""Verilog and the files that go with it."""
