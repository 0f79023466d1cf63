"""The blocks and the whole accelerator on the emitted Verilog, by the benches of `tb/`."""
