"""Cells of an ECP5 that a configuration takes: counted by yosys, or by a model fitted to counts."""
