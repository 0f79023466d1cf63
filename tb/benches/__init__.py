"""cocotb test modules: they run inside the simulator, started by `tb.build.simulate`."""
