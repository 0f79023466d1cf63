"""What is run to see how much of the emitted Verilog is ever reached."""
