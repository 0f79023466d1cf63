"""How much of the emitted Verilog was reached: merged over runs, waived, reported."""
